/* The vocabulary in C, for the Cython extension: GCC's and clang's vectors of VECTOR_BYTES.
 *
 * Addresses are int64_t, indices count values.  What comes once for each dtype is in primitives_real.h; here is the
 * rest: memory of fixed types, atomics, a polite wait, the floating-point state. */
#ifndef FASTNN_PRIMITIVES_H
#define FASTNN_PRIMITIVES_H

#include <math.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif
#if defined(_WIN32)
#include <windows.h>
#else
#include <time.h>
#include <unistd.h>
#endif
#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#endif

#define INLINE static inline __attribute__((always_inline, unused))

INLINE int64_t get_integer(int64_t p, int64_t i) { return ((const int64_t *)p)[i]; }
INLINE int64_t get_index(int64_t p, int64_t i) { return ((const int32_t *)p)[i]; }
INLINE double get_double(int64_t p, int64_t i) { return ((const double *)p)[i]; }
INLINE void put_integer(int64_t p, int64_t i, int64_t value) { ((int64_t *)p)[i] = value; }
INLINE void put_double(int64_t p, int64_t i, double value) { ((double *)p)[i] = value; }
INLINE double to_double(int64_t value) { return (double)value; }
INLINE double power(double x, double n) { return pow(x, n); }
INLINE double square_root(double x) { return sqrt(x); }
INLINE int is_finite(double x) { return x - x == 0.0; }

/* A function of nine integers at an address: the user's own, see source/custom. */
INLINE int64_t call_function(int64_t address, int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, int64_t f,
                             int64_t g, int64_t h, int64_t i) {
    typedef int64_t function(int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t);
    return ((function *)address)(a, b, c, d, e, f, g, h, i);
}

INLINE int64_t atomic_add(int64_t p, int64_t i, int64_t value) {
    return __atomic_fetch_add((int64_t *)p + i, value, __ATOMIC_SEQ_CST);
}
INLINE int64_t atomic_get(int64_t p, int64_t i) { return __atomic_load_n((int64_t *)p + i, __ATOMIC_ACQUIRE); }
INLINE void atomic_put(int64_t p, int64_t i, int64_t value) { __atomic_store_n((int64_t *)p + i, value, __ATOMIC_RELEASE); }

/* Ask for a cache line to write to it: stores wait for one another, such requests do not. */
INLINE void prefetch_write(int64_t p) { __builtin_prefetch((const void *)p, 1, 3); }
/* The same number, of which the compiler knows nothing: else it keeps an address for each of some steps of a loop. */
INLINE int64_t opaque(int64_t i) {
    __asm__("" : "+r"(i));
    return i;
}
INLINE void prefetch(int64_t p) { __builtin_prefetch((const void *)p, 0, 3); }

INLINE void spin_pause(void) {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("isb"); /* tens of cycles; yield is none */
#endif
}

INLINE void short_sleep(void) {
#if defined(_WIN32)
    SwitchToThread();
#else
    usleep(1);
#endif
}

/* Sleep while the lower half of a word is a value's, for a millisecond at most, and wake those that do. */
INLINE void sleep_while(int64_t p, int64_t i, int64_t value) {
#if defined(__linux__)
    struct timespec most = {0, 1000000};
    syscall(SYS_futex, (int64_t *)p + i, FUTEX_WAIT_PRIVATE, (uint32_t)value, &most, 0, 0);
#else
    short_sleep();
#endif
}
INLINE void wake(int64_t p, int64_t i) {
#if defined(__linux__)
    syscall(SYS_futex, (int64_t *)p + i, FUTEX_WAKE_PRIVATE, INT32_MAX, 0, 0, 0);
#endif
}

/* Nanoseconds: from some moment on, and those for which this thread has had a processor. */
#if defined(_WIN32)
INLINE int64_t wall_clock(void) { return 0; }
INLINE int64_t thread_clock(void) { return 0; }
#else
INLINE int64_t nanoseconds(clockid_t which) {
    struct timespec now;
    clock_gettime(which, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}
INLINE int64_t wall_clock(void) { return nanoseconds(CLOCK_MONOTONIC); }
INLINE int64_t thread_clock(void) { return nanoseconds(CLOCK_THREAD_CPUTIME_ID); }
#endif

/* Denormals cost a hundred cycles each and mean nothing here: flush them, and give the caller's state back after. */
INLINE int64_t flush_denormals(void) {
#if defined(__x86_64__)
    unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040);
    return before;
#elif defined(__aarch64__)
    uint64_t before;
    __asm__ __volatile__("mrs %0, fpcr" : "=r"(before));
    __asm__ __volatile__("msr fpcr, %0" : : "r"(before | (1ull << 24)));
    return (int64_t)before;
#else
    return 0;
#endif
}

INLINE void restore_denormals(int64_t state) {
#if defined(__x86_64__)
    _mm_setcsr((unsigned)state);
#elif defined(__aarch64__)
    __asm__ __volatile__("msr fpcr, %0" : : "r"((uint64_t)state));
#else
    (void)state;
#endif
}

typedef float __attribute__((may_alias)) stored_float32;
typedef double __attribute__((may_alias)) stored_float64;
typedef uint8_t stored_uint8;
typedef int32_t __attribute__((may_alias)) stored_int32;
typedef int64_t __attribute__((may_alias)) stored_int64;

#define FOR_KINDS(X) X(float32) X(float64) X(uint8) X(int32) X(int64)

/* Data need not be aligned. */
#define READ_INTEGER(KIND)                                     \
    INLINE int64_t read_integer_##KIND(int64_t p) {            \
        stored_##KIND value;                                   \
        __builtin_memcpy(&value, (const void *)p, sizeof value); \
        return (int64_t)value;                                 \
    }
FOR_KINDS(READ_INTEGER)

#define JOIN_(A, B) A##_##B
#define JOIN(A, B) JOIN_(A, B)

#define DTYPE float32
#define REAL float
#define BITS int32_t
#define UNSIGNED uint32_t
#define MANTISSA_BITS 23
#define BIAS 127
#define LANE_COUNT (VECTOR_BYTES / 4)
#define RINT_MAGIC 12582912.0f
#define SMALLEST 0x1p-126 /* that is not a denormal */
#define X86(NAME) NAME##_ps
#define NEON(NAME) NAME##q_f32
#define ACCUMULATE "vfmadd231ps"
#define BY_LANE "fmla %0.4s, %2.4s, %1.s[0]"
#include "primitives_real.h"

#define DTYPE float64
#define REAL double
#define BITS int64_t
#define UNSIGNED uint64_t
#define MANTISSA_BITS 52
#define BIAS 1023
#define LANE_COUNT (VECTOR_BYTES / 8)
#define RINT_MAGIC 6755399441055744.0
#define SMALLEST 0x1p-1022
#define X86(NAME) NAME##_pd
#define NEON(NAME) NAME##q_f64
#define ACCUMULATE "vfmadd231pd"
#define BY_LANE "fmla %0.2d, %2.2d, %1.d[0]"
#include "primitives_real.h"

#endif
