#include "hanok/kernels/cpu/pool_links.h"

#include <algorithm>
#include <utility>

namespace hanok::cpu {

Links::Links(std::vector<Link> links, std::int64_t results, std::int64_t operands)
    : links_(std::move(links)), operands_(operands) {
  first_.resize(static_cast<std::size_t>(results) + 1);
  for (const Link& link : links_) {
    ++first_[static_cast<std::size_t>(link.result) + 1];
  }
  for (std::size_t i = 1; i < first_.size(); ++i) {
    first_[i] += first_[i - 1];
  }
}

Links Links::inverse() const {
  std::vector<Link> swapped = links_;
  for (Link& link : swapped) {
    std::swap(link.result, link.operand);
  }
  std::stable_sort(swapped.begin(), swapped.end(),
                   [](const Link& a, const Link& b) { return a.result < b.result; });
  return {std::move(swapped), operands_, results()};
}

namespace {

/// Windows of `kernel` taps. Averages divide by the taps within the input or, with `count_pad`,
/// within the padded input, beyond which a last window may reach (PoolSize::Ceil).
Links window_links(std::int64_t input, std::int64_t output, std::int64_t kernel,
                   std::int64_t stride, std::int64_t pad, std::int64_t dilation, bool count_pad) {
  std::vector<Link> links;
  for (std::int64_t out = 0; out < output; ++out) {
    const std::int64_t start = out * stride - pad;
    const std::size_t first = links.size();
    for (std::int64_t tap = 0; tap < kernel; ++tap) {
      const std::int64_t in = start + tap * dilation;
      if (in >= 0 && in < input) {
        links.push_back({out, in, tap, 0});
      }
    }
    const auto count = count_pad ? std::min(kernel, input + pad - start)
                                 : static_cast<std::int64_t>(links.size() - first);
    for (std::size_t i = first; i < links.size(); ++i) {
      links[i].count = count;
    }
  }
  return {std::move(links), output, input};
}

}  // namespace

Links row_links(const Pool2dShape& s) {
  const Window2d& w = s.window;
  return window_links(s.h, s.p(), s.r, w.stride_h, w.pad_h, w.dilation_h, s.count_include_pad);
}

Links column_links(const Pool2dShape& s) {
  const Window2d& w = s.window;
  return window_links(s.w, s.q(), s.s, w.stride_w, w.pad_w, w.dilation_w, s.count_include_pad);
}

}  // namespace hanok::cpu
