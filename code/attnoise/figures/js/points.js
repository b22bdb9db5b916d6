// Measures of points. Twins: torch.cdist, torch.mean, and root mean squares of distances.

export const distance = (a, b) => Math.hypot(...a.map((part, i) => part - b[i]));

export const meanOf = (points) => points[0].map((_, axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length);

// Root mean square distance between points and others, pair by pair.
export const rmsDistance = (points, others) => Math.sqrt(points.reduce((sum, point, i) => sum + distance(point, others[i]) ** 2, 0) / points.length);

// Number of the point that is nearest.
export const nearest = (x, points) => {
  const far = points.map((point) => distance(x, point));
  return far.indexOf(Math.min(...far));
};
