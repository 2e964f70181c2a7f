#include "tests/cuda/emulator/races/shadow.h"

#include <algorithm>
#include <deque>
#include <link.h>
#include <memory>
#include <unordered_map>

#include "tests/cuda/emulator/executor.h"
#include "tests/cuda/emulator/memory.h"

namespace hanok::emulator {
namespace {

std::unordered_map<std::uintptr_t, std::unique_ptr<Page>> pages;
constexpr std::size_t kRecent = 1024;
Page* recent[kRecent];  // by the page number's low bits
std::deque<Split> splits(1);

struct Segment {
  std::uintptr_t begin, end;
  bool writable;
};

/// Mapped parts of the program and its libraries; only the program's writable ones can contain
/// __shared__ variables.
const std::vector<Segment>& segments() {
  static const std::vector<Segment> all = [] {
    std::vector<Segment> result;
    dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* opaque) {
          auto& list = *static_cast<std::vector<Segment>*>(opaque);
          const bool program = list.empty();
          for (int i = 0; i < info->dlpi_phnum; ++i) {
            const auto& header = info->dlpi_phdr[i];
            if (header.p_type != PT_LOAD) continue;
            const std::uintptr_t begin = info->dlpi_addr + header.p_vaddr;
            list.push_back(
                {begin, begin + header.p_memsz, program && (header.p_flags & PF_W) != 0});
          }
          return 0;
        },
        &result);
    return result;
  }();
  return all;
}

Page::Kind kind_of(std::uintptr_t begin) {
  const auto inside = [begin](const void* object, std::size_t bytes) {
    const auto first = reinterpret_cast<std::uintptr_t>(object);
    return begin + kPageBytes > first && begin < first + bytes;
  };
  if (inside(&visible, sizeof(visible)) || inside(&indices, sizeof(indices))) {
    return Page::Kind::Ignored;
  }
  if (inside(dynamic_shared_begin, 256 << 10)) return Page::Kind::Shared;
  Page::Kind kind = Page::Kind::Device;
  for (const Segment& segment : segments()) {
    if (begin + kPageBytes <= segment.begin || begin >= segment.end) continue;
    if (segment.writable) return Page::Kind::Shared;
    kind = Page::Kind::Ignored;
  }
  return kind;
}

}  // namespace

Page& page_at(std::uintptr_t address) {
  const std::uintptr_t number = address / kPageBytes;
  Page*& slot = recent[number % kRecent];
  if (slot != nullptr && slot->number == number) return *slot;
  std::unique_ptr<Page>& page = pages[number];
  if (!page) {
    page = std::make_unique<Page>();
    page->number = number;
    page->kind = kind_of(number * kPageBytes);
  }
  slot = page.get();
  return *page;
}

Split& split(Word& word) {
  if (word.bytes == 0) {
    word.bytes = static_cast<std::uint32_t>(splits.size());
    splits.emplace_back();
    std::fill(std::begin(splits.back().byte), std::end(splits.back().byte), word.whole);
  }
  return splits[word.bytes];
}

void forget_pages_of_freed_memory() {
  for (auto it = pages.begin(); it != pages.end();) {
    const Page& page = *it->second;
    if (page.kind == Page::Kind::Device && !range_at(page.valid_begin)) {
      recent[page.number % kRecent] = nullptr;
      it = pages.erase(it);
    } else {
      ++it;
    }
  }
}

}  // namespace hanok::emulator
