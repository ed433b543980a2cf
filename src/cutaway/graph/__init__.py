"""The network as data: an fx GraphModule of standard layers with stable names, functional, one module per node."""
