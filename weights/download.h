// Fetching one file over HTTP(S): resumable, checked, put in place only when whole.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "hanok/weights/catalogue.h"

namespace hanok::weights {

struct DownloadOptions {
  /// The first digits of the checksum, or all 64; empty: not checked.
  std::string sha256;
  std::optional<std::int64_t> size;  // bytes, where known
  /// Called now and then with the bytes there and in all (-1: not known).
  std::function<void(std::int64_t done, std::int64_t total)> progress;
  /// A transfer that brings nothing for so long is taken as cut.
  long stall_seconds = 60;
  /// A cut transfer is resumed; it fails after so many attempts in a row without a new byte.
  int attempts = 3;
  std::chrono::milliseconds pause{1000};  // before an attempt that follows a fruitless one
};

struct DownloadResult {
  std::string sha256;        // of the whole file, 64 digits
  std::int64_t size = 0;     // bytes
  std::int64_t resumed = 0;  // bytes that were there from an earlier, broken download
};

/// Fetches `url` to `path` by way of `path`.part, which stays after a broken download and is
/// continued by the next one. Redirects are followed, from https only to https. Throws IoError (no
/// connection, an HTTP error, no space, another download of the same file going on) or FormatError
/// (wrong size or checksum; the part is then removed), the URL first.
DownloadResult download(const std::string& url, const std::string& path,
                        const DownloadOptions& options);

/// Where an entry is fetched from: its URL, or the file of that name below $HANOK_MIRROR.
std::string fetch_url(const CatalogueEntry& entry);

/// An entry's file in the cache, fetched if it is not there. Its checksum is verified as far as
/// known, also of a file that was there already, and it must hold a state_dict.
struct Fetched {
  std::string path;
  std::string sha256;  // 64 digits
  bool was_there = false;
  std::int64_t resumed = 0;  // bytes
};
Fetched fetch(const CatalogueEntry& entry,
              const std::function<void(std::int64_t done, std::int64_t total)>& progress);

}  // namespace hanok::weights
