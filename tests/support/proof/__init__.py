"""App processes, their clients, a faulty network, and a redeem that is wrong on purpose."""
