"""The waist of the house: one usable classifier, and the one file it lives in."""

from cutaway.model.file import save_model as save_model
from cutaway.model.model import Model as Model
from cutaway.model.open import open_model as open_model
