// What a file holds that is no readable image: named, so that a person knows what to do about it.
#include <algorithm>
#include <string_view>

#include "hanok/data/formats/codecs.h"
#include "hanok/data/image_files.h"

namespace hanok::data {
namespace {

struct Magic {
  std::size_t offset;
  std::string_view bytes;
  std::string_view what;
};

// Photographs of formats that are left out; image_files.cpp says what converts them.
constexpr Magic kPhotographs[] = {
    {0, std::string_view("\0\0\0\x0CJXL \r\n\x87\n", 12), "JPEG XL"},
    {0, "\xFF\x0A", "JPEG XL"},
    {0, std::string_view("\0\0\0\x0CjP  \r\n\x87\n", 12), "JPEG 2000"},
    {0, "\xFF\x4F\xFF\x51", "JPEG 2000"},
    {4, "ftypcrx ", "camera raw"},
    {4, "ftypavif", "AVIF"},
    {4, "ftypavis", "AVIF"},
    {4, "ftyphei", "HEIC"},
    {4, "ftyphev", "HEIC"},
    {4, "ftypmif1", "HEIC"},
    {4, "ftypmsf1", "HEIC"},
    {0, "FUJIFILMCCD-RAW", "camera raw"},
    {0, "IIRO", "camera raw"},
    {0, "IIRS", "camera raw"},
    {0, "MMOR", "camera raw"},
    {0, std::string_view("IIU\0", 4), "camera raw"},
    {0, "FOVb", "camera raw"},
    {0, "8BPS", "PSD"},
    {128, "DICM", "DICOM"},
    {0, std::string_view("\0\0\1\0", 4), "ICO"},
};

constexpr Magic kOthers[] = {
    {0, "%PDF", "a PDF document"},
    {0, "PK\x03\x04", "a ZIP archive (or an Office document)"},
    {0, "\x1F\x8B", "a gzip archive"},
    {0, "BZh", "a bzip2 archive"},
    {0,
     std::string_view("\xFD"
                      "7zXZ\0",
                      6),
     "an xz archive"},
    {0, "7z\xBC\xAF\x27\x1C", "a 7-Zip archive"},
    {0, "Rar!", "a RAR archive"},
    {257, "ustar", "a tar archive"},
    {4, "ftyp", "a video"},
    {0, "\x1A\x45\xDF\xA3", "a video"},
    {0, "\x93NUMPY", "a NumPy array"},
    {0, "\x89HDF", "an HDF5 file"},
    {0, "SQLite format 3", "an SQLite database"},
    {0, std::string_view("\0\5\x16\7", 4), "macOS's attributes of another file (AppleDouble)"},
};

template <std::size_t N>
std::string_view match(std::string_view file, const Magic (&table)[N]) {
  for (const Magic& magic : table) {
    if (file.size() > magic.offset && file.substr(magic.offset).starts_with(magic.bytes)) {
      return magic.what;
    }
  }
  return {};
}

/// Whether `text`, in any case, begins with `start`, which is in lower case.
bool begins(std::string_view text, std::string_view start) {
  const auto same = [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  };
  return text.size() >= start.size() && std::equal(start.begin(), start.end(), text.begin(),
                                                   [&same](char b, char a) { return same(a, b); });
}

/// Printable ASCII and white space, or bytes of UTF-8 beyond ASCII.
bool is_text(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 ? byte != 0x7F : byte >= '\t' && byte <= '\r';
  });
}

/// The first words of `text` on one line, in quotes.
std::string quoted(std::string_view text) {
  constexpr std::size_t kShown = 40;
  std::string shown;
  for (const char c : text.substr(0, kShown)) {
    const auto byte = static_cast<unsigned char>(c);
    shown += byte < 0x20 ? ' ' : byte < 0x7F ? c : '?';
  }
  while (!shown.empty() && shown.back() == ' ') shown.pop_back();
  return "'" + shown + (text.size() > kShown ? "..." : "") + "'";
}

std::string describe_text(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // a byte-order mark
  while (!text.empty() && is_text(text.substr(0, 1)) && text.front() <= ' ') text.remove_prefix(1);
  if (text.starts_with("version https://git-lfs.github.com/spec/")) {
    return "a Git LFS pointer and not the image itself; 'git lfs pull' fetches it";
  }
  const std::string_view head = text.substr(0, 1024);
  if (begins(text, "<!doctype html") || begins(text, "<html") || begins(text, "<head")) {
    return "an HTML page and not an image (what a failed download often saves)";
  }
  if (begins(text, "<svg") ||
      (begins(text, "<?xml") && head.find("<svg") != std::string_view::npos)) {
    return "an SVG drawing; " + advice_for("SVG");
  }
  if (begins(text, "<?xml")) return "an XML document and not an image";
  if (text.starts_with('{') || text.starts_with('[')) {
    return "JSON text and not an image: " + quoted(head);
  }
  return "text and not an image: " + quoted(head);
}

}  // namespace

std::string describe_content(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view file(reinterpret_cast<const char*>(bytes), size);
  if (const std::string_view format = match(file, kPhotographs); !format.empty()) {
    return (format == "AVIF" || format == "ICO" ? "an " : "a ") + std::string(format) + " file; " +
           advice_for(format);
  }
  if (const std::string_view other = match(file, kOthers); !other.empty()) {
    return std::string(other) + " and not an image";
  }
  if (std::all_of(bytes, bytes + size, [](std::uint8_t byte) { return byte == 0; })) {
    return "only zero bytes (an interrupted download or copy?)";
  }
  if (is_text(file.substr(0, 512))) return describe_text(file);
  return "not an image of a format that is read (JPEG, PNG, WebP, BMP, GIF, TIFF)";
}

}  // namespace hanok::data
