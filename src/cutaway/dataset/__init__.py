"""Samples and folds: where the pictures of a data set are, what a person called them, what is wrong with them."""

from cutaway.dataset.cache import fill as fill
from cutaway.dataset.cache import filled as filled
from cutaway.dataset.identity import apply_folds as apply_folds
from cutaway.dataset.identity import fingerprint as fingerprint
from cutaway.dataset.identity import fold_fingerprint as fold_fingerprint
from cutaway.dataset.identity import folds_document as folds_document
from cutaway.dataset.ledger import look as look
from cutaway.dataset.ledger import looks as looks
from cutaway.dataset.loose import open_pictures as open_pictures
from cutaway.dataset.named import dataset_names as dataset_names
from cutaway.dataset.pixels import PixelSet as PixelSet
from cutaway.dataset.places import cache_folder as cache_folder
from cutaway.dataset.sample_pictures import sample_names as sample_names
from cutaway.dataset.sample_pictures import sample_picture as sample_picture
from cutaway.dataset.samples import FOLDS as FOLDS
from cutaway.dataset.samples import Dataset as Dataset
from cutaway.dataset.samples import Fold as Fold
from cutaway.dataset.samples import Sample as Sample
from cutaway.dataset.samples import Store as Store
from cutaway.dataset.scan import must_be_trainable as must_be_trainable
from cutaway.dataset.scan import open_dataset as open_dataset
from cutaway.dataset.splits import split as split
from cutaway.dataset.splits import split_notes as split_notes
