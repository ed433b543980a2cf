"""Any file's bytes -> one upright sRGB uint8 picture, or an error that names the file. The only room that decodes."""

from cutaway.image.contract import InputContract as InputContract
from cutaway.image.fit import decode_fitted as decode_fitted
from cutaway.image.fit import fit_picture as fit_picture
from cutaway.image.fit import read_fitted as read_fitted
from cutaway.image.fit import target_px as target_px
from cutaway.image.picture import Image as Image
from cutaway.image.picture import Pixels as Pixels
from cutaway.image.pool import read_many as read_many
from cutaway.image.read import decode as decode
from cutaway.image.read import read_image as read_image
from cutaway.image.write import from_array as from_array
from cutaway.image.write import thumbnail as thumbnail
from cutaway.image.write import to_jpeg as to_jpeg
from cutaway.image.write import to_png as to_png
