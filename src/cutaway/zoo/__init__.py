"""Networks by name: the tutorials' small ones, everything torchvision and timm name, as published.

`networks` lists without importing torch; `build` makes one as Named (a graph, its contract, classes and card).
"""

from cutaway.zoo.build import build as build
from cutaway.zoo.named import Named as Named
from cutaway.zoo.named import NetworkRow as NetworkRow
from cutaway.zoo.names import networks as networks
