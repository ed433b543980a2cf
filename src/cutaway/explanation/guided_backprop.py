"""Guided backprop: the gradient, with everything that speaks against the answer cut off at every rectifier."""

from __future__ import annotations

from cutaway.explanation.gradient import gradient, strongest
from cutaway.explanation.method import Answer, Method, NoSettings
from cutaway.explanation.question import Question
from cutaway.explanation.rewrite import Rewritten, rewritten


def guided_backprop(question: Question, _: NoSettings) -> Answer:
    """Question -> the largest absolute guided gradient of f over the channels of each pixel, >= 0.

    Springenberg, Dosovitskiy, Brox and Riedmiller 2014, section 3.4: at every ReLU the gradient passes where both it
    and the input are positive. Of a rectifier with another slope than 0 and 1: times the slope, where that is positive.
    Gates keep their gradient and are named in a note. Raises BadModel for a network without rectifiers.
    """
    with_rule = rewritten(question.network, "guided", METHOD.title)
    return Answer(strongest(gradient(question, with_rule.network)).float().numpy(), notes=notes_on(with_rule))


def notes_on(with_rule: Rewritten) -> tuple[str, ...]:
    """-> the sentence on the gates that the rule has nothing to say of."""
    if not (gates := with_rule.gates):
        return ()
    more = f" and {len(gates) - 3} more" if len(gates) > 3 else ""
    return (
        f"The rule is for rectifiers; {', '.join(gates[:3])}{more} let both signs through and kept their gradient.",
    )


METHOD = Method(
    name="guided-backprop",
    title="Guided backprop",
    says="What excites the network here speaks for the answer; it shows edges more than reasons.",
    paper="Springenberg, Dosovitskiy, Brox, Riedmiller 2014: Striving for simplicity",
    departs="The paper knows ReLU only; other rectifiers (ReLU6, SiLU, GELU, ...) follow its rule with their slope.",
    runs="1 gradient",
    explain=guided_backprop,
)
