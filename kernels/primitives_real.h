/* The part of primitives.h that comes once for each dtype; included there, with DTYPE, REAL ... defined. */

#define F(NAME) JOIN(NAME, DTYPE)
#define VECTOR F(vector)
#define MASK F(mask)
#define WORDS F(words)

typedef REAL F(real);
typedef REAL VECTOR __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef REAL F(unaligned) __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));
typedef BITS WORDS __attribute__((vector_size(VECTOR_BYTES)));

INLINE VECTOR F(load)(int64_t p, int64_t i) { return *(const F(unaligned) *)((const REAL *)p + i); }
INLINE void F(store)(int64_t p, int64_t i, VECTOR value) { *(F(unaligned) *)((REAL *)p + i) = value; }
INLINE VECTOR F(splat)(double value) { return (REAL)value - (VECTOR){0}; }
INLINE VECTOR F(broadcast)(int64_t p, int64_t i) { return ((const REAL *)p)[i] - (VECTOR){0}; }
INLINE double F(first_lane)(VECTOR a) { return (double)a[0]; }
INLINE double F(get)(int64_t p, int64_t i) { return (double)((const REAL *)p)[i]; }
INLINE void F(put)(int64_t p, int64_t i, double value) { ((REAL *)p)[i] = (REAL)value; }
INLINE void F(write)(int64_t p, int64_t i, REAL value) { ((REAL *)p)[i] = value; }
INLINE void F(copy)(int64_t p, int64_t i, int64_t q, int64_t j) { ((REAL *)q)[j] = ((const REAL *)p)[i]; }

INLINE WORDS F(word_numbers)(void) {
    WORDS numbers;
    for (int lane = 0; lane < LANE_COUNT; lane++) numbers[lane] = lane;
    return numbers;
}
INLINE VECTOR F(lane_numbers)(void) { return __builtin_convertvector(F(word_numbers)(), VECTOR); }

/* What the instruction sets differ in.  The comparisons are false on NaN, and maximum lets a NaN in a through. */
#if VECTOR_BYTES == 64 && defined(__AVX512F__)
#define OP(NAME) X86(_mm512_##NAME)
#if LANE_COUNT == 16
typedef __mmask16 MASK;
#define COMPARE(A, B, HOW) _mm512_cmp_ps_mask(A, B, HOW)
#define BLEND(M, A, B) _mm512_mask_blend_ps(M, B, A)
#define FIRST_HALF _mm512_castps512_ps256
#define WITH_ZEROS _mm512_zextps256_ps512
#else
typedef __mmask8 MASK;
#define COMPARE(A, B, HOW) _mm512_cmp_pd_mask(A, B, HOW)
#define BLEND(M, A, B) _mm512_mask_blend_pd(M, B, A)
#define FIRST_HALF _mm512_castpd512_pd256
#define WITH_ZEROS _mm512_zextpd256_pd512
#endif
INLINE MASK F(lanes_below)(int64_t n) { return (MASK)_bzhi_u32(~0u, n >= LANE_COUNT ? LANE_COUNT : n <= 0 ? 0 : (unsigned)n); }
INLINE VECTOR F(rint)(VECTOR a) { return OP(roundscale)(a, 0x08); }

/* 14 bits, doubled by each of Newton's steps: a third of what dividing and extracting take, and within an ulp. */
INLINE VECTOR F(reciprocal)(VECTOR a) {
    VECTOR r = OP(rcp14)(a);
    for (int bits = 14; bits < MANTISSA_BITS; bits *= 2) r = OP(fmadd)(r, OP(fnmadd)(a, r, F(splat)(1.0)), r);
    return r;
}
INLINE VECTOR F(sqrt)(VECTOR a) { /* of 0 too; of infinity NaN */
    VECTOR inverse = OP(rsqrt14)(OP(max)(F(splat)(SMALLEST), a));
    VECTOR root = OP(mul)(a, inverse), half = OP(mul)(inverse, F(splat)(0.5));
    for (int bits = 14; bits < MANTISSA_BITS; bits *= 2) {
        VECTOR error = OP(fnmadd)(root, half, F(splat)(0.5));
        root = OP(fmadd)(root, error, root);
        half = OP(fmadd)(half, error, half);
    }
    return root;
}
#elif VECTOR_BYTES == 32 && defined(__AVX2__)
#define OP(NAME) X86(_mm256_##NAME)
typedef VECTOR MASK;
#define COMPARE(A, B, HOW) OP(cmp)(A, B, HOW)
#define BLEND(M, A, B) OP(blendv)(B, A, M)
INLINE MASK F(lanes_below)(int64_t n) { return (MASK)(F(word_numbers)() < (BITS)(n < LANE_COUNT ? n : LANE_COUNT) - (WORDS){0}); }
INLINE VECTOR F(rint)(VECTOR a) { return OP(round)(a, 0x08); }
#endif

#ifdef OP
INLINE VECTOR F(fma)(VECTOR a, VECTOR b, VECTOR c) { return OP(fmadd)(a, b, c); }
#if VECTOR_BYTES < 64
INLINE VECTOR F(reciprocal)(VECTOR a) { return F(splat)(1.0) / a; }
INLINE VECTOR F(sqrt)(VECTOR a) { return OP(sqrt)(a); }
#endif
INLINE VECTOR F(maximum)(VECTOR a, VECTOR b) { return OP(max)(b, a); }
INLINE VECTOR F(minimum)(VECTOR a, VECTOR b) { return OP(min)(b, a); }
INLINE MASK F(less)(VECTOR a, VECTOR b) { return COMPARE(a, b, _CMP_LT_OQ); }
INLINE MASK F(less_equal)(VECTOR a, VECTOR b) { return COMPARE(a, b, _CMP_LE_OQ); }
INLINE MASK F(equal)(VECTOR a, VECTOR b) { return COMPARE(a, b, _CMP_EQ_OQ); }
INLINE VECTOR F(where)(MASK m, VECTOR a, VECTOR b) { return BLEND(m, a, b); }
#else
typedef WORDS MASK;
INLINE MASK F(lanes_below)(int64_t n) { return F(word_numbers)() < (BITS)(n < LANE_COUNT ? n : LANE_COUNT) - (WORDS){0}; }
INLINE MASK F(less)(VECTOR a, VECTOR b) { return (MASK)(a < b); }
INLINE MASK F(less_equal)(VECTOR a, VECTOR b) { return (MASK)(a <= b); }
INLINE MASK F(equal)(VECTOR a, VECTOR b) { return (MASK)(a == b); }
INLINE VECTOR F(where)(MASK m, VECTOR a, VECTOR b) { return (VECTOR)((m & (WORDS)a) | (~m & (WORDS)b)); }
INLINE VECTOR F(maximum)(VECTOR a, VECTOR b) { return F(where)(F(less)(a, b), b, a); }
INLINE VECTOR F(minimum)(VECTOR a, VECTOR b) { return F(where)(F(less)(b, a), b, a); }
INLINE VECTOR F(reciprocal)(VECTOR a) { return F(splat)(1.0) / a; }
#if VECTOR_BYTES == 16 && defined(__aarch64__)
INLINE VECTOR F(rint)(VECTOR a) { return (VECTOR)NEON(vrndn)(a); }
INLINE VECTOR F(sqrt)(VECTOR a) { return (VECTOR)NEON(vsqrt)(a); }
INLINE VECTOR F(fma)(VECTOR a, VECTOR b, VECTOR c) { return (VECTOR)NEON(vfma)(c, a, b); }
#else
INLINE VECTOR F(rint)(VECTOR a) { return (a + RINT_MAGIC) - RINT_MAGIC; } /* |a| < 2^(MANTISSA_BITS - 1) */
INLINE VECTOR F(sqrt)(VECTOR a) {
    for (int lane = 0; lane < LANE_COUNT; lane++) a[lane] = (REAL)sqrt(a[lane]);
    return a;
}
INLINE VECTOR F(fma)(VECTOR a, VECTOR b, VECTOR c) { return a * b + c; } /* no instruction for it: two roundings */
#endif
#endif

/* fma, in the register that c is in: where all registers are taken, GCC lets sums wander, and spills some. */
INLINE VECTOR F(accumulated)(VECTOR a, VECTOR b, VECTOR c) {
#if defined(OP) && defined(__GNUC__) && !defined(__clang__)
    __asm__(ACCUMULATE " %2, %1, %0" : "+v"(c) : "v"(a), "v"(b));
    return c;
#elif VECTOR_BYTES == 16 && defined(__aarch64__) && !defined(__clang__)
    __asm__(BY_LANE : "+w"(c) : "w"(a[0]), "w"(b)); /* then a need not be spread */
    return c;
#else
    return F(fma)(a, b, c);
#endif
}

#if VECTOR_BYTES == 64 && defined(__AVX512F__)
/* Half a vector; behind it, 0 is stored. */
typedef REAL F(half) __attribute__((vector_size(VECTOR_BYTES / 2), may_alias));
typedef REAL F(unaligned_half) __attribute__((vector_size(VECTOR_BYTES / 2), aligned(4), may_alias));
INLINE F(half) F(load_half)(int64_t p, int64_t i) { return *(const F(unaligned_half) *)((const REAL *)p + i); }
/* In a register: else LLVM reads it from memory again for each use, and once more for its first half. */
INLINE VECTOR F(in_register)(VECTOR a) { return a; }
INLINE F(half) F(splat_half)(double value) { return (REAL)value - (F(half)){0}; }
INLINE F(half) F(accumulated_half)(VECTOR a, F(half) b, F(half) c) {
    F(half) low = FIRST_HALF(a);
#if defined(__GNUC__) && !defined(__clang__)
    __asm__(ACCUMULATE " %2, %1, %0" : "+v"(c) : "v"(low), "v"(b));
    return c;
#else
    return X86(_mm256_fmadd)(low, b, c);
#endif
}
INLINE void F(store_half)(int64_t p, int64_t i, F(half) value) { F(store)(p, i, WITH_ZEROS(value)); }
#endif

INLINE MASK F(greater)(VECTOR a, VECTOR b) { return F(less)(b, a); }
INLINE MASK F(greater_equal)(VECTOR a, VECTOR b) { return F(less_equal)(b, a); }

#define SIGN ((WORDS){0} + (BITS)((BITS)1 << (sizeof(BITS) * 8 - 1)))
INLINE VECTOR F(absolute)(VECTOR a) { return (VECTOR)((WORDS)a & ~SIGN); }
INLINE VECTOR F(copysign)(VECTOR a, VECTOR sign) { return (VECTOR)(((WORDS)a & ~SIGN) | ((WORDS)sign & SIGN)); }
INLINE VECTOR F(two_to_the)(VECTOR n) {
    return (VECTOR)((WORDS)(n + (RINT_MAGIC + BIAS)) << MANTISSA_BITS); /* n + bias in the low bits of a large number */
}
INLINE VECTOR F(exponent)(VECTOR a) {
    return __builtin_convertvector((((WORDS)a >> MANTISSA_BITS) & (2 * BIAS + 1)) - BIAS, VECTOR);
}
INLINE VECTOR F(mantissa)(VECTOR a) {
    return (VECTOR)(((WORDS)a & (((BITS)1 << MANTISSA_BITS) - 1)) | ((BITS)BIAS << MANTISSA_BITS));
}

/* Uniform numbers by a 32-bit hash of key and column; in lanes of 64 bits the upper halves stay 0. */
INLINE VECTOR F(random_lanes)(int64_t key, int64_t at) {
    typedef UNSIGNED HASH __attribute__((vector_size(VECTOR_BYTES)));
    const UNSIGNED low = 0xFFFFFFFF;
    HASH x = ((HASH)F(word_numbers)() + (UNSIGNED)(at + key)) & low;
    x = ((x ^ (x >> 16)) * (UNSIGNED)0x7FEB352D) & low;
    x = (((x ^ (x >> 15)) + ((UNSIGNED)(key >> 31) & low)) & low) * (UNSIGNED)0x846CA68B & low;
    x = (x ^ (x >> 16)) >> 9;
    return (VECTOR)((WORDS)(x << (MANTISSA_BITS - 23)) | ((BITS)BIAS << MANTISSA_BITS)) - (REAL)1;
}

/* Lane i is lane from[i] of a, or of b from LANE_COUNT on. */
INLINE VECTOR F(shuffle)(VECTOR a, VECTOR b, WORDS from) {
#if defined(__clang__)
    VECTOR result;
    for (int lane = 0; lane < LANE_COUNT; lane++)
        result[lane] = from[lane] & LANE_COUNT ? b[from[lane] % LANE_COUNT] : a[from[lane] % LANE_COUNT];
    return result;
#else
    return __builtin_shuffle(a, b, from);
#endif
}
INLINE VECTOR F(exchanged)(VECTOR a, int distance) { return F(shuffle)(a, a, F(word_numbers)() ^ (BITS)distance); }
INLINE VECTOR F(sum_lanes)(VECTOR a) {
    for (int distance = LANE_COUNT / 2; distance; distance /= 2) a = a + F(exchanged)(a, distance);
    return a;
}
INLINE VECTOR F(max_lanes)(VECTOR a) {
    for (int distance = LANE_COUNT / 2; distance; distance /= 2) a = F(maximum)(a, F(exchanged)(a, distance));
    return a;
}

/* Rows a and b of a square, DISTANCE apart, with the blocks beside the diagonal exchanged. */
#define EXCHANGE(DISTANCE)                                                                       \
    INLINE VECTOR F(exchange_low_##DISTANCE)(VECTOR a, VECTOR b) {                               \
        WORDS lane = F(word_numbers)(), moved = (WORDS)((lane & DISTANCE) != 0);                    \
        return F(shuffle)(a, b, (lane & ~moved) | ((LANE_COUNT + (lane ^ DISTANCE)) & moved));      \
    }                                                                                            \
    INLINE VECTOR F(exchange_high_##DISTANCE)(VECTOR a, VECTOR b) {                              \
        WORDS lane = F(word_numbers)(), kept = (WORDS)((lane & DISTANCE) != 0);                     \
        return F(shuffle)(a, b, ((lane ^ DISTANCE) & ~kept) | ((LANE_COUNT + lane) & kept));        \
    }
EXCHANGE(1)
EXCHANGE(2)
EXCHANGE(4)
EXCHANGE(8)

#define READ(KIND)                                                                               \
    INLINE REAL F(read_##KIND)(int64_t p) {                                                      \
        stored_##KIND value;                                                                     \
        __builtin_memcpy(&value, (const void *)p, sizeof value);                                 \
        return (REAL)value;                                                                      \
    }                                                                                            \
    INLINE VECTOR F(read_vector_##KIND)(int64_t p) {                                             \
        typedef stored_##KIND values                                                             \
            __attribute__((vector_size(LANE_COUNT * sizeof(stored_##KIND)), aligned(1), may_alias)); \
        if (sizeof(stored_##KIND) == sizeof(REAL) && (stored_##KIND)0.5 != 0) return F(load)(p, 0); \
        return __builtin_convertvector(*(const values *)p, VECTOR);                              \
    }
FOR_KINDS(READ)

/* Whatever else is defined reads alike for both types. */
#undef COMPARE
#undef BLEND
#undef FIRST_HALF
#undef WITH_ZEROS
#undef DTYPE
#undef REAL
#undef BITS
#undef UNSIGNED
#undef MANTISSA_BITS
#undef BIAS
#undef LANE_COUNT
#undef RINT_MAGIC
#undef SMALLEST
#undef X86
#undef NEON
#undef ACCUMULATE
#undef BY_LANE
