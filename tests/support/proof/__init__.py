"""App processes, their clients, a proxy that injects faults, and a redeem that is wrong on purpose."""
