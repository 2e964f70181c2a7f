// Downloads one file over HTTP(S): resumable, verified, and renamed into place only when complete.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "hanok/weights/catalogue.h"

#pragma GCC visibility push(default)
namespace hanok::weights {

struct DownloadOptions {
  /// The first digits of the SHA-256, or all 64; empty: not verified.
  std::string sha256{};
  std::optional<std::int64_t> size{};  // bytes, if known
  /// Called repeatedly with the bytes received and in total (-1: unknown).
  std::function<void(std::int64_t done, std::int64_t total)> progress;
  /// A transfer without progress for this long counts as interrupted.
  long stall_seconds = 60;
  /// An interrupted transfer is resumed; it fails after this many attempts in a row without a new
  /// byte.
  int attempts = 3;
  std::chrono::milliseconds pause{1000};  // before an attempt that follows one without a new byte
};

struct DownloadResult {
  std::string sha256;        // of the whole file, 64 digits
  std::int64_t size = 0;     // bytes
  std::int64_t resumed = 0;  // bytes kept from an earlier, interrupted download
};

/// Downloads `url` to `path` via `path`.part, which is kept after an interrupted download and
/// resumed by the next one. Redirects are followed, from https only to https. Throws IoError (no
/// connection, an HTTP error, no space, a concurrent download of the same file) or FormatError
/// (wrong size or checksum; the partial file is then deleted); messages start with the URL.
DownloadResult download(const std::string& url, const std::string& path,
                        const DownloadOptions& options);

/// The source of an entry: its URL, or the file of that name in $HANOK_MIRROR.
std::string fetch_url(const CatalogueEntry& entry);

/// An entry's file in the cache, downloaded if missing. Its checksum is verified as far as it is
/// known, also for a file that was already there, and it must contain a state_dict.
struct Fetched {
  std::string path;
  std::string sha256;  // 64 digits
  bool was_there = false;
  std::int64_t resumed = 0;  // bytes
};
Fetched fetch(const CatalogueEntry& entry,
              const std::function<void(std::int64_t done, std::int64_t total)>& progress);

}  // namespace hanok::weights
#pragma GCC visibility pop
