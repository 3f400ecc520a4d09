"""What turns uniform random numbers into normal ones."""

from typing import Any

from .arrays import fma, log, sqrt, where


def normal_quantile(uniform: Any) -> Any:  # arrays here, vectors in kernels
    """Standard normal numbers from uniform ones, multiples of 2**-23 in [0, 1), each at the middle of its step.

    sqrt(2) erfinv(2 u - 1) by M. Giles's polynomials (Approximating the erfinv function, 2011), relative error 1e-6.
    """
    t = fma(uniform, 2.0, -0.99999988079071044921875)
    w = -log((1.0 - t) * (1.0 + t))
    v = w - 2.5
    p = fma(v, 2.81022636e-08, 3.43273939e-07)
    p = fma(v, p, -3.5233877e-06)
    p = fma(v, p, -4.39150654e-06)
    p = fma(v, p, 0.00021858087)
    p = fma(v, p, -0.00125372503)
    p = fma(v, p, -0.00417768164)
    p = fma(v, p, 0.246640727)
    p = fma(v, p, 1.50140941)
    r = sqrt(w) - 3.0
    q = fma(r, -0.000200214257, 0.000100950558)
    q = fma(r, q, 0.00134934322)
    q = fma(r, q, -0.00367342844)
    q = fma(r, q, 0.00573950773)
    q = fma(r, q, -0.0076224613)
    q = fma(r, q, 0.00943887047)
    q = fma(r, q, 1.00167406)
    q = fma(r, q, 2.83297682)
    return 1.4142135623730951 * t * where(w < 5.0, p, q)
