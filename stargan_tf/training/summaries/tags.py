"""What TensorBoard calls each scalar, and says of it: what it is, and what is healthy.

TensorBoard shows cards in groups, by what stands before the slash, in alphabetical order: hence the numbers. Names in
`metrics.jsonl` are those of the code and stay as they are.
"""

from dataclasses import dataclass

from stargan_tf.evaluation import results

OVERVIEW = "1 overview"
# Cards have room for some 40 letters.
LATENT_GUIDED = f"{OVERVIEW}/1 in drawn styles"
REFERENCE_GUIDED = f"{OVERVIEW}/2 in styles of references"
LATENT_GRID, REFERENCE_GRID = "1 whole grids/in drawn styles", "1 whole grids/in styles of references"

# Of what TensorBoard shows and metrics.jsonl does not have.
NOT_FINITE = "trouble/not_finite"
DATA_WAIT_SHARE = "trouble/data_wait_share"


@dataclass(frozen=True)
class Tag:
    """How TensorBoard shows a scalar.

    Args:
        name: group and title.
        description: what it is, and what is healthy; Markdown.
    """

    name: str
    description: str


# The four updates of an iteration: the place of the loss in the overview, whose loss it is, with which styles.
_UPDATES = {
    "d_latent": ("3", "D", "drawn styles"),
    "d_reference": ("4", "D", "references"),
    "g_latent": ("5", "G F E", "drawn styles"),
    "g_reference": ("6", "G", "references"),
}
_D_TOTAL = (
    "What D minimizes: adversarial terms and R1. With the logistic loss about 1.4 means that D cannot tell real images "
    "from translations, and 0 that it always can. Healthy: it falls in the beginning, then wavers, mostly between 0.3 "
    "and 1.3; G and D hold each other, so it does not fall for ever. Near 0 for thousands of steps: D has won, and G "
    "learns little."
)
_G_TOTAL = (
    "What {whose} minimize{s}: adversarial, style and cycle terms less diversity. It need not fall, since D learns as "
    "well: look at the pictures and at the terms `cyc` and `sty`. Not healthy: it grows and grows, or jumps."
)
_TERMS = {
    "real": "D's adversarial term of real images. Healthy: below 0.7, which is guessing.",
    "fake": "D's adversarial term of translations. Healthy: below 0.7, which is guessing, and not 0 for long.",
    "reg": "R1: half the mean squared gradient of D at real images, times `lambda_reg`. Healthy: it stays small beside "
    "the other terms; spikes now and then are common, steady growth is not.",
    "adv": "The adversarial term: how well D tells translations. 0.7 is a D that guesses, and the better D is, the "
    "higher. Healthy: up to about 4; more and more means that D has won.",
    "sty": "Style reconstruction: the mean distance between the style code that was asked for and the one that E finds "
    "in the translation. Healthy: it falls, and stays low. That it stays high means that G does not follow the style.",
    "ds": "Diversity: the mean distance between translations of one source in two styles; its weight, `lambda_ds`, "
    "falls to 0. Healthy: it grows in the beginning. Near 0, all styles give the same picture: see "
    "`docs/your_photographs.md#styles-hardly-differ`.",
    "cyc": "Cycle consistency: the mean distance between the source and its translation translated back, in values "
    "from -1 to 1. Healthy: it falls all the time; this is the clearest sign that the networks learn. "
    "Growing, it loses the source: see `docs/your_photographs.md#the-person-in-the-picture-is-lost`.",
}
_LOGITS = {
    "logit_real": "What D says of real images, on average: above 0 is `real`. Healthy: somewhat above 0, not without "
    "end.",
    "logit_fake": "What D says of translations, on average: below 0 is `fake`. Healthy: below 0, but not ever further: "
    "the distance to the logits of real images is D's lead.",
}
_NETWORKS = {
    "generator": "G, the generator",
    "mapping_network": "F, the mapping network",
    "style_encoder": "E, the style encoder",
    "discriminator": "D, the discriminator",
}
_WITHOUT_FORM = {
    NOT_FINITE: Tag(
        f"{OVERVIEW}/8 values not finite",
        "How often a loss, gradient or weight was infinite or NaN. Healthy: 0. At 1 or more the run went back to a "
        "checkpoint (`--training.on_nonfinite rollback`; `events.jsonl` has the reason) or stopped: lower the learning "
        "rates.",
    ),
    DATA_WAIT_SHARE: Tag(
        f"{OVERVIEW}/9 share of wait for data",
        "Of the time of a step, the part that it waited for its batch. Healthy: below 0.05. More: the device idles; "
        "read from a faster disk, prepare images at the size of training, or give the job more cores.",
    ),
    "speed/images_per_second": Tag(
        f"{OVERVIEW}/7 images per second",
        "Images of all devices together, without the time of summaries, checkpoints and evaluations. Healthy: it stays "
        "where it was.",
    ),
    "speed/steps_per_second": Tag("8 time/steps per second", "Iterations, each of four updates; as images per second."),
    "lambda_ds": Tag(
        "3 terms of the loss of G/weight of ds",
        "The weight of the diversity term, which falls linearly to 0 over `losses.ds_iter` steps.",
    ),
    "learning_rate/networks": Tag("7 learning rates/D, G and E", "As set; StarGAN v2 keeps it constant."),
    "learning_rate/mapping_network": Tag("7 learning rates/F", "As set; a hundredth of the others' as published."),
    "time/step": Tag("8 time/computing a step", "Seconds for each step that the device computes."),
    "time/data_wait": Tag(
        "8 time/waiting for data", "Seconds for each step that it waits for its batch. Healthy: near 0."
    ),
    "time/summaries": Tag("8 time/writing summaries", "Seconds for each step, averaged; grids take most of it."),
    "time/checkpoint": Tag("8 time/saving checkpoints", "Seconds for each step, averaged."),
    "time/evaluation": Tag("8 time/evaluating", "Seconds for each step, averaged (`training.eval_every`)."),
    "memory/host_gb": Tag(
        "9 memory/main memory, GB",
        "The most that the process has taken so far. Healthy: it stops growing after an hour.",
    ),
}


def tag_of(name: str) -> Tag:
    """Returns how TensorBoard shows a scalar; one that is not known here, like a new term, by its name.

    Args:
        name: as in `metrics.jsonl`.
    """
    if name in _WITHOUT_FORM:
        return _WITHOUT_FORM[name]
    if name.startswith(results.PREFIX):
        return Tag(name, results.description(name))
    group, _, rest = name.partition("/")
    if group == "update_ratio":
        return Tag(
            f"6 size of updates/{_NETWORKS.get(rest, rest)}",
            "The length of a call's update beside that of all weights. Healthy: about 1e-3, up to 1e-2 in the first "
            "thousand steps. Near 0 nothing is learnt; above 0.1 the learning rate is too high.",
        )
    if group == "memory":
        return Tag(f"9 memory/{rest.removesuffix('_gb').replace('_', ' ')}, GB", "The most that was in use so far.")
    if group in _UPDATES:
        return _of_update(group, rest)
    return Tag(name, "")


def _of_update(update: str, term: str) -> Tag:
    place, whose, styles = _UPDATES[update]
    if term == "total":
        title = f"{OVERVIEW}/{place} loss of {whose}, {styles}"
        return Tag(
            title,
            _D_TOTAL
            if whose == "D"
            else _G_TOTAL.format(whose=whose.replace("F E", "F and E").replace("G F", "G, F"), s="s" * (whose == "G")),
        )
    if term in _LOGITS:
        return Tag(f"4 what D says/{term.removeprefix('logit_')}, {styles}", _LOGITS[term])
    if term.startswith("grad_norm_"):
        network = _NETWORKS.get(term.removeprefix("grad_norm_"), term)
        return Tag(
            f"5 norms of gradients/{network}, {styles}",
            "The norm of the gradient before the optimizer scales it. Healthy: it keeps its order of magnitude. Growth "
            "by tens comes before values that are not finite; 0 means that nothing reaches this network.",
        )
    group = "2 terms of the loss of D" if whose == "D" else "3 terms of the loss of G"
    return Tag(f"{group}/{term}, {styles}", _TERMS.get(term, ""))
