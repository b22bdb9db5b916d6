"""Public denoisers of 28 x 28 digits, each with its own U-Net, loss, schedule and sampler.

diffusers                    UNet2DModel, DDPMScheduler with its cosine schedule
smalldiffusion               Unet, scaled input, ScheduleDDPM, its DDPM sampler
denoising-diffusion-pytorch  Unet of its classifier-free guidance, cosine schedule, DDIM with eta 1

All are sized to about as many parameters as ours, get the class, train with AdamW at 2e-3 and
predict x0: with 150 CPU-seconds that served diffusers far better than predicting noise (seed 0: a
distance of 6.2 and 23.5).
"""

import importlib
import sys
from importlib.util import find_spec
from types import ModuleType

import torch
from diffusers import DDPMScheduler, UNet2DModel
from torch.nn import functional as F


def submodule(package: str, name: str) -> ModuleType:
    """Import one module of a package without its `__init__`, which asks for torchvision.

    The models need torch alone, and torchvision must match torch's build, CPU or CUDA.
    """
    if package not in sys.modules:
        hollow = ModuleType(package)
        hollow.__path__ = list(find_spec(package).submodule_search_locations)
        sys.modules[package] = hollow
    return importlib.import_module(f"{package}.{name}")


class Diffusers:
    """The library's U-Net, with its own scheduler for noising and sampling."""

    optimizer, lr, name = "adamw", 2e-3, "diffusers"

    def __init__(self) -> None:
        self.model = UNet2DModel(
            sample_size=28,
            in_channels=1,
            out_channels=1,
            layers_per_block=1,
            block_out_channels=(16, 32, 40),
            norm_num_groups=8,
            attention_head_dim=8,
            down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
            num_class_embeds=10,
        )
        self.scheduler = DDPMScheduler(
            beta_schedule="squaredcos_cap_v2", prediction_type="sample", clip_sample=True
        )

    def loss(self, images, labels, generator):
        t = torch.randint(0, 1000, (len(images),), generator=generator)
        eps = torch.randn(images.shape, generator=generator)
        output = self.model(self.scheduler.add_noise(images, eps, t), t, class_labels=labels).sample
        return F.mse_loss(output, images)

    @torch.no_grad()
    def sample(self, model, labels, steps, generator):
        x = torch.randn(len(labels), 1, 28, 28, generator=generator)
        self.scheduler.set_timesteps(steps)
        for t in self.scheduler.timesteps:
            output = model(x, t.expand(len(x)), class_labels=labels).sample
            x = self.scheduler.step(output, t, x, generator=generator).prev_sample
        return x


class SmallDiffusion:
    """smalldiffusion's U-Net: noise is added without scaling the image down, sigma up to 157."""

    optimizer, lr, name = "adamw", 2e-3, "smalldiffusion"

    def __init__(self) -> None:
        unet = submodule("smalldiffusion", "model_unet")
        parts = submodule("smalldiffusion", "model")
        self.library = submodule("smalldiffusion", "diffusion")
        self.model = parts.Scaled(parts.PredX0(unet.Unet))(
            in_dim=28,
            in_ch=1,
            out_ch=1,
            ch=32,
            ch_mult=(1, 1, 1),
            num_res_blocks=1,
            attn_resolutions=(7,),
            cond_embed=parts.CondEmbedderLabel(128, 10, 0.1),
        )
        self.schedule = self.library.ScheduleDDPM(N=1000, beta_start=0.0001, beta_end=0.02)

    def loss(self, images, labels, generator):
        with torch.random.fork_rng():  # it draws from torch's own generator
            torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
            x0, sigma, eps, cond = self.library.generate_train_sample(
                (images, labels), self.schedule, conditional=True
            )
            return self.model.get_loss(x0, sigma, eps, cond=cond)

    def sample(self, model, labels, steps, generator):
        with torch.random.fork_rng():
            torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
            sigmas = self.schedule.sample_sigmas(steps)
            drawn = self.library.samples(
                model.eval(), sigmas, gam=1, mu=0.5, batchsize=len(labels), cond=labels
            )
            return list(drawn)[-1]


class DenoisingDiffusionPytorch:
    """denoising-diffusion-pytorch's U-Net with classes, in images of [0, 1] as it wants them."""

    optimizer, lr, name = "adamw", 2e-3, "denoising-diffusion-pytorch"

    def __init__(self) -> None:
        self.library = submodule("denoising_diffusion_pytorch", "classifier_free_guidance")
        self.model = self.library.Unet(
            dim=16, num_classes=10, cond_drop_prob=0.1, dim_mults=(1, 1, 2), channels=1,
            attn_dim_head=16,
        )  # fmt: skip
        self.diffusion = self._diffusion(self.model, 1000)

    def _diffusion(self, model, steps):
        return self.library.GaussianDiffusion(
            model, image_size=28, timesteps=1000, sampling_timesteps=steps, objective="pred_x0"
        )

    def loss(self, images, labels, generator):
        with torch.random.fork_rng():
            torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
            return self.diffusion((images + 1) / 2, classes=labels)

    def sample(self, model, labels, steps, generator):
        with torch.random.fork_rng():
            torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
            model = model.eval()
            # Without guidance 2.3.4 returns one answer where its own caller unpacks two.
            model.forward_with_cond_scale = lambda x, t, classes, **_: (
                model(x, t, classes, cond_drop_prob=0.0),
                None,
            )
            return 2 * self._diffusion(model, steps).sample(labels) - 1


def baselines() -> list:
    """Return one of each, untrained."""
    return [Diffusers(), SmallDiffusion(), DenoisingDiffusionPytorch()]
