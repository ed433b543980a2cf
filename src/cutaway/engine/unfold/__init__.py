"""Unfold: the arithmetic of one number of the network, in terms that add up to it."""

from cutaway.engine.unfold.follow import picture_box as picture_box
from cutaway.engine.unfold.follow import strongest as strongest
from cutaway.engine.unfold.follow import unfold_on as unfold_on
from cutaway.engine.unfold.onward import Reader as Reader
from cutaway.engine.unfold.onward import readers as readers
from cutaway.engine.unfold.pixel import channel_names as channel_names
from cutaway.engine.unfold.pixel import pixel_lines as pixel_lines
from cutaway.engine.unfold.place import kind_of as kind_of
from cutaway.engine.unfold.sentence import sentence as sentence
from cutaway.engine.unfold.slide import Slide as Slide
from cutaway.engine.unfold.slide import slide_of as slide_of
from cutaway.engine.unfold.slide import slide_steps as slide_steps
from cutaway.engine.unfold.slide import slides as slides
from cutaway.engine.unfold.table import needed_steps as needed_steps
from cutaway.engine.unfold.table import unfold as unfold
from cutaway.engine.unfold.terms import Arithmetic as Arithmetic
from cutaway.engine.unfold.terms import Line as Line
from cutaway.engine.unfold.terms import Source as Source
from cutaway.engine.unfold.terms import Window as Window
