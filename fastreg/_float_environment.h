/* The floating-point environment in which fastreg computes: round to nearest, subnormal numbers are kept, no exception traps.
   A caller may work under another: torch.set_flush_denormal, fesetround, a library that was linked with -ffast-math. Its control
   register is read in 2 ns and written, 10 ns, only where it differs. */
#ifndef FASTREG_FLOAT_ENVIRONMENT_H
#define FASTREG_FLOAT_ENVIRONMENT_H

/* Compilers do not know that arithmetic depends on the environment; that loads and stores stay where they are is enough here. */
#if defined(__GNUC__) || defined(__clang__)
#define FR_IN_ORDER __asm__ __volatile__("" : : : "memory")
#elif defined(_MSC_VER)
#include <intrin.h>
#define FR_IN_ORDER _ReadWriteBarrier()
#else
#define FR_IN_ORDER ((void)0)
#endif

#if defined(__SSE2__) || defined(_M_X64)
#include <immintrin.h>
#define FR_FLAGS 0x3Fu /* what was raised so far */
#define FR_STATED 0x1F80u
typedef unsigned int fr_float_environment;
#define fr_get_float_environment() _mm_getcsr()
#define fr_set_float_environment(found) _mm_setcsr(found)

#elif defined(__aarch64__) || defined(_M_ARM64)
#include <stdint.h>
#define FR_FLAGS 0u /* they have a register of their own */
#define FR_STATED 0u
typedef uint64_t fr_float_environment;
#ifdef __aarch64__
static inline fr_float_environment fr_get_float_environment(void) {
    fr_float_environment found;
    __asm__ __volatile__("mrs %0, fpcr" : "=r"(found));
    return found;
}
static inline void fr_set_float_environment(fr_float_environment found) {
    __asm__ __volatile__("msr fpcr, %0" : : "r"(found) : "memory");
}
#else
#define fr_get_float_environment() ((fr_float_environment)_ReadStatusReg(ARM64_FPCR))
#define fr_set_float_environment(found) _WriteStatusReg(ARM64_FPCR, (__int64)(found))
#endif
#endif

#ifdef FR_STATED
static inline fr_float_environment fr_enter_float_environment(void) {
    fr_float_environment found = fr_get_float_environment();
    if ((found & ~(fr_float_environment)FR_FLAGS) != FR_STATED) fr_set_float_environment(FR_STATED);
    FR_IN_ORDER;
    return found;
}
static inline void fr_leave_float_environment(fr_float_environment found) {
    FR_IN_ORDER;
    if ((found & ~(fr_float_environment)FR_FLAGS) != FR_STATED) fr_set_float_environment(found);
}

#else /* elsewhere what C has to say of it, at whatever it costs */
#include <fenv.h>
typedef fenv_t fr_float_environment;
static fr_float_environment fr_enter_float_environment(void) {
    fr_float_environment found;
    fegetenv(&found);
    fesetenv(FE_DFL_ENV);
    return found;
}
static void fr_leave_float_environment(fr_float_environment found) {
    fesetenv(&found);
}
#endif

#endif
