"""One module of proofs per chapter; a package, since chapters and modules share their names."""
