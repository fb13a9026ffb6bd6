from stargan_tf.evaluation import results
from stargan_tf.losses.objectives import DISCRIMINATOR_TERMS, GENERATOR_TERMS
from stargan_tf.training.summaries import tags

NAMES = [f"{update}/{term}" for update in ("d_latent", "d_reference") for term in DISCRIMINATOR_TERMS]
NAMES += [f"{update}/{term}" for update in ("g_latent", "g_reference") for term in GENERATOR_TERMS]
NAMES += [f"time/{phase}" for phase in ("step", "data_wait", "summaries", "checkpoint", "evaluation")]
NAMES += [f"update_ratio/{name}" for name in ("generator", "mapping_network", "style_encoder", "discriminator")]
NAMES += ["d_latent/grad_norm_discriminator", "g_latent/grad_norm_style_encoder", "g_reference/grad_norm_generator"]
NAMES += ["speed/images_per_second", "speed/steps_per_second", "lambda_ds", "memory/host_gb", "memory/gpu_0_gb"]
NAMES += ["learning_rate/networks", "learning_rate/mapping_network", tags.NOT_FINITE, tags.DATA_WAIT_SHARE]
NAMES += [f"{results.PREFIX}{name}/net_0123/2x10" for name in ("fid", "latent/lpips", "reference/kid")]


def test_every_scalar_has_a_group_a_title_of_its_own_and_a_description():
    found = [tags.tag_of(name) for name in NAMES]
    assert len({tag.name for tag in found}) == len(NAMES)
    assert all("/" in tag.name and len(tag.description) > 20 for tag in found), found


def test_the_overview_comes_first_in_this_order():
    """TensorBoard sorts groups and cards by name."""
    found = sorted(
        [tags.LATENT_GUIDED, tags.REFERENCE_GUIDED, tags.LATENT_GRID, *(tags.tag_of(name).name for name in NAMES)]
    )
    first = [name.partition("/")[2] for name in found if name.startswith(tags.OVERVIEW)]
    assert found[: len(first)] == [f"{tags.OVERVIEW}/{title}" for title in first]
    assert [title[2:] for title in first] == [
        "in drawn styles",
        "in styles of references",
        "loss of D, drawn styles",
        "loss of D, references",
        "loss of G F E, drawn styles",
        "loss of G, references",
        "images per second",
        "values not finite",
        "share of wait for data",
    ]
    assert all(len(name) <= 42 for name in found[: len(first)])  # what a card has room for


def test_a_new_term_of_a_loss_stands_with_the_others_and_anything_else_by_its_name():
    assert tags.tag_of("g_latent/identity").name == "3 terms of the loss of G/identity, drawn styles"
    assert tags.tag_of("anything") == tags.Tag("anything", "")
