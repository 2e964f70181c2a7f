#include "hanok/data/image_files.h"

#include <algorithm>
#include <filesystem>

#include "hanok/data/files.h"

namespace hanok::data {
namespace {

constexpr std::string_view kRead[] = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp",
                                      ".bmp", ".dib",  ".gif", ".tif",  ".tiff"};

struct LeftOut {
  std::string_view extension, format;
};

constexpr LeftOut kLeftOut[] = {
    {".heic", "HEIC"},      {".heif", "HEIC"},      {".hif", "HEIC"},       {".avif", "AVIF"},
    {".jxl", "JPEG XL"},    {".jp2", "JPEG 2000"},  {".j2k", "JPEG 2000"},  {".jpx", "JPEG 2000"},
    {".jpf", "JPEG 2000"},  {".svg", "SVG"},        {".psd", "PSD"},        {".dcm", "DICOM"},
    {".ico", "ICO"},        {".tga", "TGA"},        {".ppm", "PNM"},        {".pgm", "PNM"},
    {".pbm", "PNM"},        {".pnm", "PNM"},        {".exr", "OpenEXR"},    {".hdr", "HDR"},
    {".dng", "camera raw"}, {".cr2", "camera raw"}, {".cr3", "camera raw"}, {".crw", "camera raw"},
    {".nef", "camera raw"}, {".nrw", "camera raw"}, {".arw", "camera raw"}, {".sr2", "camera raw"},
    {".raf", "camera raw"}, {".orf", "camera raw"}, {".rw2", "camera raw"}, {".pef", "camera raw"},
    {".srw", "camera raw"}, {".x3f", "camera raw"}, {".raw", "camera raw"},
};

struct Advice {
  std::string_view format, text;
};

constexpr Advice kAdvice[] = {
    {"HEIC", "convert it with heif-convert (package libheif-examples)"},
    {"AVIF", "convert it with heif-convert (package libheif-examples)"},
    {"JPEG XL", "convert it with djxl (package libjxl-tools)"},
    {"JPEG 2000", "convert it with opj_decompress (package libopenjp2-tools)"},
    {"SVG", "render it with rsvg-convert (package librsvg2-bin)"},
    {"camera raw", "develop it with dcraw_emu (package libraw-bin) or darktable-cli"},
    {"DICOM", "convert it with dcmj2pnm (package dcmtk)"},
    {"PNM", "convert it with pnmtopng (package netpbm)"},
};

std::string lower_extension(const std::string& file_name) {
  std::string extension = std::filesystem::path(file_name).extension().string();
  for (char& c : extension) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return extension;
}

}  // namespace

bool has_image_extension(const std::string& file_name) {
  const std::string extension = lower_extension(file_name);
  return std::find(std::begin(kRead), std::end(kRead), extension) != std::end(kRead);
}

std::string left_out_format(const std::string& file_name) {
  const std::string extension = lower_extension(file_name);
  const auto* found =
      std::find_if(std::begin(kLeftOut), std::end(kLeftOut),
                   [&extension](const LeftOut& entry) { return entry.extension == extension; });
  return found == std::end(kLeftOut) ? std::string() : std::string(found->format);
}

std::string advice_for(std::string_view left_out_format) {
  const auto* found = std::find_if(
      std::begin(kAdvice), std::end(kAdvice),
      [left_out_format](const Advice& advice) { return advice.format == left_out_format; });
  return found == std::end(kAdvice) ? "save it as JPEG or PNG" : std::string(found->text);
}

ImageFiles image_files(const std::string& folder) {
  ImageFiles files;
  files.paths = list_images(folder, files.skipped);
  return files;
}

}  // namespace hanok::data
