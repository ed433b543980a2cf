"""Model files of other programs -> Parts. Nothing in a file is run.

One module per format with `matches(head, path)` by content and `read(path)`, listed in table.READERS; all else here is
what several of them share (keras_*: any file that describes its network as Keras does).
"""

from cutaway.formats.parts import Parts as Parts
from cutaway.formats.table import read_model_file as read_model_file
