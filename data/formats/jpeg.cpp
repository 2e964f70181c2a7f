// JPEG through libjpeg-turbo with Pillow's settings (accurate integer DCT, fancy chroma
// upsampling).
#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstring>
// jpeglib.h needs FILE and size_t. jerror.h must come after it: its message numbers depend on the
// settings in jpeglib.h.
// clang-format off
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include <cstdlib>
#include <string_view>
#include <utility>

#include "hanok/data/formats/codecs.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

/// libjpeg reports errors through callbacks that must not return; this one longjmps to the decoder.
struct ErrorManager {
  jpeg_error_mgr base;
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};

void fail(j_common_ptr info) {
  auto* errors = reinterpret_cast<ErrorManager*>(info->err);
  info->err->format_message(info, errors->message);
  std::longjmp(errors->jump, 1);
}

/// Damaged or missing data is only a warning to libjpeg, which fills with grey; here it is an
/// error. Harmless irregularities (for example stray bytes between markers) are accepted, as in
/// Pillow.
void on_message(j_common_ptr info, int level) {
  if (level >= 0) return;  // traces
  switch (info->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
    case JWRN_BOGUS_PROGRESSION:
      fail(info);
      break;
    default:
      break;
  }
}

/// A few kilobytes can declare thousands of progressive scans, each of which is a full pass over
/// the image. Programs write some ten, so that the largest image may have three times as many.
void limit_scans(j_common_ptr info) {
  constexpr int kMaxScans = 500;
  constexpr std::uint64_t kMaxPixelsOfAllScans = std::uint64_t{1} << 32;
  auto* decoder = reinterpret_cast<j_decompress_ptr>(info);
  const auto scans = static_cast<std::uint64_t>(std::max(decoder->input_scan_number, 0));
  const std::uint64_t pixels = std::uint64_t{decoder->image_width} * decoder->image_height;
  if (decoder->input_scan_number > kMaxScans || scans * pixels > kMaxPixelsOfAllScans) {
    auto* errors = reinterpret_cast<ErrorManager*>(info->err);
    std::snprintf(errors->message, sizeof errors->message, "more than %d scans",
                  decoder->input_scan_number - 1);
    std::longjmp(errors->jump, 1);
  }
}

/// Everything that must survive a longjmp, outside the function that calls setjmp.
struct Decoder {
  jpeg_decompress_struct info{};
  ErrorManager errors{};
  jpeg_progress_mgr progress{};
  Image image;
  std::vector<std::uint8_t> cmyk_row;

  Decoder() {
    info.err = jpeg_std_error(&errors.base);
    errors.base.error_exit = fail;
    errors.base.emit_message = on_message;
    progress.progress_monitor = limit_scans;
  }
  ~Decoder() { jpeg_destroy_decompress(&info); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
};

/// What the APP1 segments say: EXIF may be cut into several, of XMP the last one counts.
int orientation_of(const jpeg_decompress_struct& info) {
  constexpr std::string_view kExif("Exif\0\0", 6);
  constexpr std::string_view kXmp("http://ns.adobe.com/xap/1.0/\0", 29);
  OrientationRecord record;
  for (const jpeg_marker_struct* marker = info.marker_list; marker; marker = marker->next) {
    if (marker->marker != JPEG_APP0 + 1) continue;
    const std::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (data.starts_with(kExif)) {
      record.exif.insert(record.exif.end(), data.begin() + kExif.size(), data.end());
    } else if (data.starts_with(kXmp)) {
      record.xmp = data.substr(kXmp.size());
    }
  }
  return record.orientation();
}

/// The image; and of a file of several scans the coefficients of all of them, two bytes each.
DecodingCost cost_of(jpeg_decompress_struct& info) {
  DecodingCost cost;
  cost.memory = std::uint64_t{3} * info.image_width * info.image_height;
  if (!jpeg_has_multiple_scans(&info)) return cost;
  for (int c = 0; c < info.num_components; ++c) {
    const jpeg_component_info& component = info.comp_info[c];
    cost.memory +=
        std::uint64_t{2} * DCTSIZE2 * component.width_in_blocks * component.height_in_blocks;
  }
  return cost;
}

/// Returns false and sets errors.message if libjpeg failed.
bool read_header(Decoder& decoder, const std::uint8_t* bytes, std::size_t size) {
  if (setjmp(decoder.errors.jump)) return false;
  jpeg_create_decompress(&decoder.info);
  decoder.info.progress = &decoder.progress;
  jpeg_mem_src(&decoder.info, bytes, static_cast<unsigned long>(size));
  jpeg_save_markers(&decoder.info, JPEG_APP0 + 1, 0xFFFF);
  jpeg_read_header(&decoder.info, TRUE);
  return true;
}

/// Adobe stores CMYK inverted, and Pillow treats every four-channel JPEG as Adobe's.
void inverted_cmyk_to_rgb(const std::uint8_t* cmyk, std::uint8_t* rgb, int width) {
  for (int x = 0; x < width; ++x, cmyk += 4, rgb += 3) {
    const std::uint8_t ink[3] = {static_cast<std::uint8_t>(255 - cmyk[0]),
                                 static_cast<std::uint8_t>(255 - cmyk[1]),
                                 static_cast<std::uint8_t>(255 - cmyk[2])};
    cmyk_to_rgb(ink, static_cast<std::uint8_t>(255 - cmyk[3]), rgb);
  }
}

/// Decodes into decoder.image, whose memory is already allocated.
bool read_pixels(Decoder& decoder) {
  if (setjmp(decoder.errors.jump)) return false;
  jpeg_decompress_struct& info = decoder.info;
  jpeg_start_decompress(&info);
  while (info.output_scanline < info.output_height) {
    std::uint8_t* row = decoder.image.row(static_cast<int>(info.output_scanline));
    if (decoder.cmyk_row.empty()) {
      jpeg_read_scanlines(&info, &row, 1);
    } else {
      std::uint8_t* four_channels = decoder.cmyk_row.data();
      jpeg_read_scanlines(&info, &four_channels, 1);
      inverted_cmyk_to_rgb(four_channels, row, decoder.image.width);
    }
  }
  jpeg_finish_decompress(&info);
  return true;
}

[[noreturn]] void throw_error(const Decoder& decoder, const std::string& name) {
  const int code = decoder.errors.base.msg_code;
  const bool cut = code == JWRN_JPEG_EOF || code == JERR_INPUT_EOF || code == JERR_INPUT_EMPTY;
  throw FormatError(name + ": damaged JPEG: " + decoder.errors.message +
                    (cut ? " (an interrupted download or copy?)" : ""));
}

struct Encoder {
  jpeg_compress_struct info{};
  ErrorManager errors{};
  unsigned char* buffer = nullptr;
  unsigned long size = 0;

  Encoder() {
    info.err = jpeg_std_error(&errors.base);
    errors.base.error_exit = fail;
  }
  ~Encoder() {
    jpeg_destroy_compress(&info);
    std::free(buffer);
  }
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;
};

bool write_pixels(Encoder& encoder, const Image& image, int quality) {
  if (setjmp(encoder.errors.jump)) return false;
  jpeg_compress_struct& info = encoder.info;
  jpeg_create_compress(&info);
  jpeg_mem_dest(&info, &encoder.buffer, &encoder.size);
  info.image_width = static_cast<JDIMENSION>(image.width);
  info.image_height = static_cast<JDIMENSION>(image.height);
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, quality, TRUE);
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    auto* row = const_cast<JSAMPROW>(image.row(static_cast<int>(info.next_scanline)));
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  return true;
}

}  // namespace

Image decode_jpeg(const std::uint8_t* bytes, std::size_t size, const std::string& name,
                  const DecodeLimits& limits) {
  Decoder decoder;
  if (!read_header(decoder, bytes, size)) throw_error(decoder, name);
  jpeg_decompress_struct& info = decoder.info;
  check_pixel_limit(info.image_width, info.image_height, name, limits);
  check_decoding_cost(cost_of(info), name, limits);
  const int orientation = orientation_of(info);
  decoder.image.width = static_cast<int>(info.image_width);
  decoder.image.height = static_cast<int>(info.image_height);
  switch (info.jpeg_color_space) {
    case JCS_CMYK:
    case JCS_YCCK:
      info.out_color_space = JCS_CMYK;
      decoder.cmyk_row.resize(std::size_t{4} * info.image_width);
      break;
    case JCS_GRAYSCALE:
    case JCS_RGB:
    case JCS_YCbCr:
      info.out_color_space = JCS_RGB;
      break;
    default:
      throw FormatError(name + ": a JPEG of " + std::to_string(info.num_components) +
                        " channels in an unsupported colour space");
  }
  decoder.image.pixels.resize(std::size_t{3} * info.image_width * info.image_height);
  if (!read_pixels(decoder)) throw_error(decoder, name);
  jpeg_destroy_decompress(&info);  // its memory is not needed beside a second image
  return apply_orientation(std::move(decoder.image), orientation);
}

std::vector<std::uint8_t> encode_jpeg(const Image& image, int quality) {
  if (image.width < 1 || image.height < 1 || quality < 1 || quality > 100) {
    throw ValueError("encode_jpeg: cannot write an image of " + std::to_string(image.width) + "x" +
                     std::to_string(image.height) + " at quality " + std::to_string(quality));
  }
  Encoder encoder;
  if (!write_pixels(encoder, image, quality)) {
    throw Error(std::string("encode_jpeg: ") + encoder.errors.message);
  }
  return {encoder.buffer, encoder.buffer + encoder.size};
}

}  // namespace hanok::data
