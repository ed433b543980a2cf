"""Runs a graph: uint8 pictures -> the network's input -> activations of the layers that are asked for."""
