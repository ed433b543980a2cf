"""Deconvnet: the answer sent back through the network, keeping at every rectifier what is positive on the way."""

from __future__ import annotations

from torch import nn

from cutaway.explanation.gradient import gradient, strongest
from cutaway.explanation.guided_backprop import notes_on
from cutaway.explanation.method import Answer, Method, NoSettings
from cutaway.explanation.question import Question
from cutaway.explanation.rewrite import rewritten

NO_SWITCHES = (
    "The deconvnet learns of places from max pooling, and this network has none: it draws nearly the same grid for "
    "every picture (Springenberg et al. 2014 say so); guided-backprop and saliency do not need it."
)


def deconvnet(question: Question, _: NoSettings) -> Answer:
    """Question -> the largest absolute value over the channels of what the deconvnet projects back, >= 0.

    Zeiler and Fergus 2013, section 2.1: transposed convolutions, max pooling undone by its switches (which is its
    gradient), and a ReLU on the way back in place of the ReLU's gradient. Gates keep their gradient and are named in a
    note. Raises BadModel for a network without rectifiers.
    """
    with_rule = rewritten(question.network, "deconvnet", METHOD.title)
    pools = [layer for layer in with_rule.network.modules() if isinstance(layer, nn.MaxPool2d)]
    notes = (*notes_on(with_rule), *(() if pools else (NO_SWITCHES,)))
    return Answer(strongest(gradient(question, with_rule.network)).float().numpy(), notes=notes)


METHOD = Method(
    name="deconvnet",
    title="Deconvnet",
    says="A pattern here, sent back from the answer, is what its layers are tuned to; it depends little on the class.",
    paper="Zeiler, Fergus 2013: Visualizing and understanding convolutional networks",
    departs="The paper starts from one unit, this from the class score; rectifiers other than ReLU follow its rule.",
    runs="1 gradient",
    explain=deconvnet,
)
