// SPDX-License-Identifier: Apache-2.0
//
// Whether this program was built with AddressSanitizer or ThreadSanitizer. Their allocators keep
// freed memory and report no usage, so tests cannot measure memory under them. (A test of the
// daemon asks DaemonIsSanitized(), since the two may come from different builds.)
#pragma once

namespace test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace test
