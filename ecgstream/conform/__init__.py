"""Does a gateway do what its devices rely on? Asked as a device would, from outside, over the network."""
