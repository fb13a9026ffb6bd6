"""Configurations to start from, by name."""

from stargan_tf.base.errors import UserError
from stargan_tf.config.input import DataConfig
from stargan_tf.config.losses import LossConfig
from stargan_tf.config.model import ModelConfig
from stargan_tf.config.optimizers import OptimizerConfig
from stargan_tf.config.training import RunConfig
from stargan_tf.config.whole import Config

PRESETS: dict[str, Config] = {
    # The published settings, paper section 3 and appendix B: 100,000 steps, about 3 days on one V100 then.
    "afhq_256": Config(
        model=ModelConfig(image_size=256, num_domains=3),
        losses=LossConfig(lambda_ds=2.0),
    ),
    "celeba_hq_256": Config(
        model=ModelConfig(image_size=256, num_domains=2, w_hpf=1.0),
        losses=LossConfig(lambda_ds=1.0),
    ),
    # Small networks and high rates that translate the generated shapes after minutes on two CPU cores. No crops: they
    # stretch, and circles and squares are told apart by their proportions.
    "quickstart": Config(
        model=ModelConfig(base_channels=16, max_channels=64, style_dim=16, hidden_dim=64),
        losses=LossConfig(lambda_ds=1.0, ds_iter=5500),
        optimizers=OptimizerConfig(learning_rate=5e-4, mapping_learning_rate=5e-5, ema_decay=0.995),
        input=DataConfig(crop_probability=0.0),
        training=RunConfig(steps=7000, threads_per_op=1, log_every=50, sample_every=500, checkpoint_every=500),
    ),
}


def preset(name: str) -> Config:
    """Returns the preset of that name.

    Raises:
        UserError: there is none.
    """
    if name not in PRESETS:
        raise UserError(f"there is no preset {name!r}; choose one of {', '.join(sorted(PRESETS))}")
    return PRESETS[name]
