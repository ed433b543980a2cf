"""Any file's bytes -> one upright sRGB uint8 picture, or an error that names the file. The only room that decodes."""

from cutaway.image.contract import InputContract as InputContract
from cutaway.image.picture import Image as Image
