"""Elementary functions for vectors of float32 and float64, written once for every backend.

Nothing imports this module: render/ reads it, takes the functions of one dtype and turns them into Numba and
C. Each is a straight line without branches. The coefficients are minimax fits (Remez
exchange in 50 digits, relative error; the leading coefficients rounded one by one, the rest refitted).

exp, expm1
    x = n ln 2 + r with ln 2 in two parts, the first short enough for n times it to be exact; a polynomial
    in r; times 2**n. n stops at the largest finite power of two, so that one multiplication scales and
    overflow comes by itself: the polynomial is fitted up to r = ln 2 for the last half octave.
log, log1p
    x = m 2**e with m between sqrt(1/2) and sqrt(2), f = m - 1; float32: f + f**2 P(f); float64: with s = f
    / (2 + f), 2 s + s**3 Q(s**2), in the form f - s (f - s**2 Q(s**2)). log1p puts what rounding 1 + x lost
    back into f.
tanh
    -t / (2 + t) with t = expm1(-2 |x|).
normal_tail
    erfc(x / sqrt(2)); with z = |x| / sqrt(2): exp(-x**2 / 2) u P(v), u = 2 / (z + k), v = z u - 1, k = 2 or 4, with
    what rounding x**2 lost put back.

Largest relative errors found (unit roundoff: 6.0e-8 and 1.1e-16), with fused multiply-add on every 41st
float32 and a million random float64; the last column, without it, on every 211th and on 200 000.

========  ========  ========  ==================
          float32   float64   two roundings
========  ========  ========  ==================
exp       1.2e-7    1.8e-16   1.2e-7   1.6e-16
expm1     1.2e-7    2.7e-16   1.2e-7   2.4e-16
log       9.5e-8    1.9e-16   1.2e-7   2.5e-16
log1p     1.6e-7    2.8e-16   1.5e-7   2.5e-16
tanh      1.8e-7    3.9e-16   1.7e-7   3.7e-16
erfc      2.3e-7    6.8e-16   3.9e-6   5.7e-14
========  ========  ========  ==================

Results below the smallest normal number are 0, or may be; log takes subnormal numbers for 0. NaN goes
through.
"""

from .vocabulary import absolute, copysign, exponent, fma, mantissa, maximum, minimum, rint, two_to_the, where


def exp_float32(x):
    lowest = -87.3365402  # below it exp(x) is less than the smallest normal number
    clamped = maximum(x, lowest)
    n = rint(minimum(clamped * 1.44269502, 127.0))
    p = exp_polynomial(fma(n, -1.42860677e-06, fma(n, -0.693145752, clamped)))
    scale = two_to_the(n)
    return where(x < lowest, 0.0, fma(scale, p, scale))


def expm1_float32(x):
    clamped = maximum(x, -87.3365402)  # as in exp: an activation that needs both pays for one
    n = rint(minimum(clamped * 1.44269502, 127.0))
    p = exp_polynomial(fma(n, -1.42860677e-06, fma(n, -0.693145752, clamped)))
    scale = two_to_the(n)
    return fma(scale, p, scale - 1.0)


def exp_polynomial_float32(r):
    """exp(r) - 1 for r between -ln(2) / 2 and ln(2)."""
    squared = r * r
    p = fma(r, 0.000221067981, 0.00139157881)
    p = fma(squared, p, fma(r, 0.00832913909, 0.041666653))
    p = fma(squared, p, fma(r, 0.16666685, 0.5))
    return fma(squared, p, r)


def log_of_parts_float32(f, e):
    """log((1 + f) * 2**e) for 1 + f between sqrt(1/2) and sqrt(2)."""
    squared = f * f
    p = fma(f, 0.0876024887, -0.143240571)
    p = fma(squared, p, fma(f, 0.149169251, -0.165684283))
    p = fma(squared, p, fma(f, 0.199619606, -0.250018269))
    p = fma(squared, p, fma(f, 0.333339542, -0.499999911))
    return fma(e, 0.693147182, fma(squared, p, f))


def log_at_the_edges_float32(x, y):
    """y, the logarithm of x, but for x that is 0, negative, infinite or NaN."""
    minus_infinity = -3.0e38 * 3.0e38
    not_a_number = minus_infinity - minus_infinity
    y = where(x < 1.17549435e-38, where(x < 0.0, not_a_number, minus_infinity), y)
    return where(x <= 3.40282347e38, y, x)


def log_float32(x):
    m = mantissa(x)
    e = exponent(x)
    e = where(m > 1.41421354, e + 1.0, e)
    m = where(m > 1.41421354, m * 0.5, m)
    return log_at_the_edges(x, log_of_parts(m - 1.0, e))


def log1p_float32(x):
    u = x + 1.0
    m = mantissa(u)
    e = exponent(u)
    e = where(m > 1.41421354, e + 1.0, e)
    m = where(m > 1.41421354, m * 0.5, m)
    lost = x - (u - 1.0)
    f = fma(lost, two_to_the(-minimum(e, 126.0)), m - 1.0)
    return log_at_the_edges(u, log_of_parts(f, e))


def tanh_float32(x):
    t = expm1(-2.0 * absolute(x))
    return copysign(t * reciprocal(t + 2.0), x)


def normal_tail_float32(x):
    a = minimum(absolute(x), 13.0815)  # so that exp(-a**2 / 2) is still a normal number
    square = a * a
    y = erfc_of_parts(a * 0.707106781, 0.5 * square, 0.5 * fma(a, a, -square))
    y = where(a > 13.0031, 0.0, y)
    return where(x < 0.0, 2.0 - y, y)


def erfc_of_parts_float32(a, square, lost):
    """erfc(a) for a of at least 0, whose square is the sum of the other two."""
    u = 2.0 * reciprocal(a + 2.0)
    v = fma(a, u, -1.0)  # in this form what rounding does to u mostly cancels in the product
    p = fma(v, -1.71003722e-05, -0.000254099927)
    p = fma(v, p, -0.000365706393)
    p = fma(v, p, 0.00151157077)
    p = fma(v, p, 0.00321671111)
    p = fma(v, p, -0.0107484674)
    p = fma(v, p, -0.018217573)
    p = fma(v, p, 0.139735475)
    p = fma(v, p, -0.343580484)
    p = fma(v, p, 0.510791361)
    y = p * u
    y_lost = fma(p, u, -y)
    n = rint(square * -1.44269502)
    r = fma(n, -1.42860677e-06, fma(n, -0.693145752, -square)) - lost
    return (y + fma(y, exp_polynomial(r), y_lost)) * two_to_the(n)


def exp_float64(x):
    lowest = -708.39641853226408  # below it exp(x) is less than the smallest normal number
    clamped = maximum(x, lowest)
    n = rint(minimum(clamped * 1.4426950408889634, 1023.0))
    p = exp_polynomial(fma(n, -5.4979230187083712e-14, fma(n, -0.69314718055989033, clamped)))
    scale = two_to_the(n)
    return where(x < lowest, 0.0, fma(scale, p, scale))


def expm1_float64(x):
    clamped = maximum(x, -708.39641853226408)
    n = rint(minimum(clamped * 1.4426950408889634, 1023.0))
    p = exp_polynomial(fma(n, -5.4979230187083712e-14, fma(n, -0.69314718055989033, clamped)))
    scale = two_to_the(n)
    return fma(scale, p, scale - 1.0)


def exp_polynomial_float64(r):
    """exp(r) - 1 for r between -ln(2) / 2 and ln(2)."""
    squared = r * r
    p = fma(squared, 2.387625119972211e-09, fma(r, 2.4949258078785536e-08, 2.7549627734100148e-07))
    p = fma(squared, p, fma(r, 2.755775128452565e-06, 2.4801593493750793e-05))
    p = fma(squared, p, fma(r, 0.00019841269318842628, 0.0013888888887346143))
    p = fma(squared, p, fma(r, 0.0083333333335780559, 0.041666666666666907))
    p = fma(squared, p, fma(r, 0.16666666666666308, 0.5))
    return fma(squared, p, r)


def log_of_parts_float64(f, e):
    """log((1 + f) * 2**e) for 1 + f between sqrt(1/2) and sqrt(2)."""
    s = f / (f + 2.0)
    squared = s * s
    fourth = squared * squared
    p = fma(fourth, 0.14798239565627991, fma(squared, 0.15313834061341752, 0.18183572285268404))
    p = fma(fourth, p, fma(squared, 0.22222198430150955, 0.28571428743677696))
    p = fma(fourth, p, fma(squared, 0.39999999999409375, 0.66666666666667351))
    # 2 s = f - s f, and f is exact
    return fma(e, 0.69314718055994531, fma(-s, fma(-squared, p, f), f))


def log_at_the_edges_float64(x, y):
    """y, the logarithm of x, but for x that is 0, negative, infinite or NaN."""
    minus_infinity = -1.0e308 * 1.0e308
    not_a_number = minus_infinity - minus_infinity
    y = where(x < 2.2250738585072014e-308, where(x < 0.0, not_a_number, minus_infinity), y)
    return where(x <= 1.7976931348623157e308, y, x)


def log_float64(x):
    m = mantissa(x)
    e = exponent(x)
    e = where(m > 1.4142135623730951, e + 1.0, e)
    m = where(m > 1.4142135623730951, m * 0.5, m)
    return log_at_the_edges(x, log_of_parts(m - 1.0, e))


def log1p_float64(x):
    u = x + 1.0
    m = mantissa(u)
    e = exponent(u)
    e = where(m > 1.4142135623730951, e + 1.0, e)
    m = where(m > 1.4142135623730951, m * 0.5, m)
    lost = x - (u - 1.0)
    f = fma(lost, two_to_the(-minimum(e, 1022.0)), m - 1.0)
    return log_at_the_edges(u, log_of_parts(f, e))


def tanh_float64(x):
    t = expm1(-2.0 * absolute(x))
    return copysign(t * reciprocal(t + 2.0), x)


def normal_tail_float64(x):
    a = minimum(absolute(x), 37.6)  # so that exp(-a**2 / 2) is still a normal number
    square = a * a
    y = erfc_of_parts(a * 0.70710678118654752, 0.5 * square, 0.5 * fma(a, a, -square))
    y = where(a > 37.5379, 0.0, y)
    return where(x < 0.0, 2.0 - y, y)


def erfc_of_parts_float64(a, square, lost):
    """erfc(a) for a of at least 0, whose square is the sum of the other two."""
    u = 2.0 * reciprocal(a + 4.0)
    v = fma(a, u, -1.0)  # in this form what rounding does to u mostly cancels in the product
    squared = v * v
    p = fma(squared, -4.2086641431244122e-09, fma(v, 1.6199228260732346e-09, 5.3616058456836467e-08))
    p = fma(squared, p, fma(v, -4.1066024852003568e-08, -4.1269076781635447e-07))
    p = fma(squared, p, fma(v, 7.1622727747517455e-07, 2.3396214239323481e-06))
    p = fma(squared, p, fma(v, -9.4333062214833182e-06, -1.8141130232075775e-06))
    p = fma(squared, p, fma(v, 8.8407587917675259e-05, -0.00022752735438411325))
    p = fma(squared, p, fma(v, -0.00014047972382920775, 0.0030560280118041849))
    p = fma(squared, p, fma(v, -0.013185026628517445, 0.038190757435075183))
    p = fma(squared, p, fma(v, -0.087005468623126553, 0.16542579394008058))
    p = fma(squared, p, fma(v, -0.270426915656512, 0.38660435113259545))
    p = fma(squared, p, fma(v, -0.48827436454044199, 0.54799783050024564))
    p = p * u
    n = rint(square * -1.4426950408889634)
    r = fma(n, -5.4979230187083712e-14, fma(n, -0.69314718055989033, -square)) - lost
    return fma(p, exp_polynomial(r), p) * two_to_the(n)
