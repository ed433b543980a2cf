"""Model files of other programs -> Parts. One file per format: `matches(head)` by content, then `read(path)`. Nothing is run."""

from cutaway.formats.parts import Parts as Parts
from cutaway.formats.table import read_model_file as read_model_file
