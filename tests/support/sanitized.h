// Which sanitizer of either compiler the tests run under.
#pragma once

#ifdef __has_feature
#define HANOK_HAS_FEATURE(feature) __has_feature(feature)
#else
#define HANOK_HAS_FEATURE(feature) 0
#endif

namespace hanok::test {

#if defined(__SANITIZE_ADDRESS__) || HANOK_HAS_FEATURE(address_sanitizer)
inline constexpr bool kAddressSanitizer = true;
#else
inline constexpr bool kAddressSanitizer = false;
#endif

#if defined(__SANITIZE_THREAD__) || HANOK_HAS_FEATURE(thread_sanitizer)
inline constexpr bool kThreadSanitizer = true;
#else
inline constexpr bool kThreadSanitizer = false;
#endif

inline constexpr bool kSanitized = kAddressSanitizer || kThreadSanitizer;

}  // namespace hanok::test
