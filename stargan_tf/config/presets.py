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
    # To start from with a few thousand photographs and two CPU cores or one small GPU: narrow networks of 64 px, with a
    # style code and a mapping network to match, at rates 4 and 40 times the published ones. Diversity still has weight
    # when the run ends. On leaves, 2,000 steps are ten minutes of one core with units for bfloat16; then 99 % of the
    # translations are of the target domain, with half of the diversity of real pairs. Wider: examples/wide.yaml, 8,000
    # steps in 73 minutes of two such cores (docs/showcase.md), three times that in float32.
    "photos_64": Config(
        model=ModelConfig(image_size=64, base_channels=16, max_channels=96, style_dim=32, hidden_dim=128),
        losses=LossConfig(ds_iter=9000),
        optimizers=OptimizerConfig(learning_rate=4e-4, mapping_learning_rate=4e-5, ema_decay=0.997),
        training=RunConfig(steps=8000, sample_every=500, checkpoint_every=500),
    ),
    # Of `make known-factors`: small networks and high rates that translate the generated shapes after a quarter of an
    # hour on two CPU cores. No crops: they stretch, and circles and squares are told apart by their proportions.
    "known_factors": Config(
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
