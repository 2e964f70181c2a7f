// The first page of a TIFF through libtiff: 1 to 16 bits, strips or tiles, every compression that
// libtiff was built with. Colours as in Pillow: premultiplied alpha is divided out, other alpha
// dropped; 16-bit values keep their high byte; CMYK without an ink profile.
#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <string_view>
#include <tiffio.h>
#include <utility>

#include "hanok/data/formats/codecs.h"
#include "hanok/data/image_files.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

// ---- a file in memory ----

struct Source {
  const std::uint8_t* bytes;
  std::size_t size;
  std::size_t at = 0;
  std::string problem{};  // libtiff's first message
};

Source& source_of(thandle_t handle) { return *static_cast<Source*>(handle); }

tmsize_t read_bytes(thandle_t handle, void* target, tmsize_t count) {
  Source& source = source_of(handle);
  if (count <= 0 || source.at >= source.size) return 0;
  const std::size_t given = std::min(static_cast<std::size_t>(count), source.size - source.at);
  std::memcpy(target, source.bytes + source.at, given);
  source.at += given;
  return static_cast<tmsize_t>(given);
}

tmsize_t write_nothing(thandle_t, void*, tmsize_t) { return 0; }

toff_t seek(thandle_t handle, toff_t offset, int from) {
  Source& source = source_of(handle);
  const std::size_t base = from == SEEK_CUR ? source.at : from == SEEK_END ? source.size : 0;
  source.at = base + static_cast<std::size_t>(offset);
  return source.at;
}

int close_nothing(thandle_t) { return 0; }

toff_t size_of(thandle_t handle) { return source_of(handle).size; }

void keep_message(Source& source, const char* format, std::va_list arguments) {
  if (!source.problem.empty()) return;
  char text[256];
  std::vsnprintf(text, sizeof text, format, arguments);
  source.problem = text;
}

int on_error(TIFF*, void* user, const char*, const char* format, std::va_list arguments) {
  keep_message(source_of(user), format, arguments);
  return 1;  // handled: nothing is printed
}

/// Warnings are about tags that are not used, except where JPEG data are damaged: there the rest of
/// the picture is grey.
int on_warning(TIFF*, void* user, const char* module, const char* format, std::va_list arguments) {
  if (module && std::string_view(module).starts_with("JPEGLib")) {
    keep_message(source_of(user), format, arguments);
  }
  return 1;
}

struct Closer {
  void operator()(TIFF* tiff) const { TIFFClose(tiff); }
};
using Tiff = std::unique_ptr<TIFF, Closer>;

Tiff open(Source& source, const DecodeLimits& limits) {
  TIFFOpenOptions* options = TIFFOpenOptionsAlloc();
  if (!options) return {};
  TIFFOpenOptionsSetErrorHandlerExtR(options, on_error, &source);
  TIFFOpenOptionsSetWarningHandlerExtR(options, on_warning, &source);
  TIFFOpenOptionsSetMaxSingleMemAlloc(options,
                                      std::max<tmsize_t>(limits.max_bytes, 8 * limits.max_pixels));
  // "m": through the functions above instead of a map of the file.
  Tiff tiff(TIFFClientOpenExt("image", "rm", &source, read_bytes, write_nothing, seek,
                              close_nothing, size_of, nullptr, nullptr, options));
  TIFFOpenOptionsFree(options);
  return tiff;
}

// ---- how a page stores its pixels ----

struct Page {
  std::uint32_t width = 0, height = 0;
  std::uint16_t bits = 1, samples = 1, photometric = 0, compression = 0, planar = 0;
  int colours = 1;             // samples of a pixel that are colours: 1, 3 or 4
  bool premultiplied = false;  // the sample after them is alpha, and colours are multiplied by it
  /// Samples that are kept of a pixel.
  int kept() const { return premultiplied ? colours + 1 : colours; }
};

class TiffReader {
 public:
  TiffReader(const std::uint8_t* bytes, std::size_t size, const std::string& name,
             const DecodeLimits& limits)
      : source_{bytes, size}, name_(name), tiff_(open(source_, limits)) {
    if (!tiff_) fail();
    read_layout(limits);
  }

  Image read() {
    Image image{static_cast<int>(page_.width), static_cast<int>(page_.height), {}};
    if (page_.photometric == PHOTOMETRIC_YCBCR) {
      read_by_libtiff(image);
    } else {
      kept_.resize(std::size_t{page_.width} * page_.height *
                   static_cast<std::size_t>(page_.kept()));
      if (TIFFIsTiled(tiff_.get())) {
        read_tiles();
      } else {
        read_rows();
      }
      convert(image);
    }
    if (!source_.problem.empty()) fail();
    return apply_orientation(std::move(image), orientation());
  }

 private:
  [[noreturn]] void fail() const {
    throw FormatError(name_ + ": damaged TIFF: " +
                      (source_.problem.empty() ? "no image in it" : source_.problem));
  }
  [[noreturn]] void refuse(const std::string& kind) const {
    throw FormatError(name_ + ": a TIFF file of " + kind +
                      ", which is not supported; save it with " +
                      "8 bits a channel in RGB or grey");
  }

  std::uint16_t tag(std::uint32_t number) const {
    std::uint16_t value = 0;
    TIFFGetFieldDefaulted(tiff_.get(), number, &value);
    return value;
  }

  void read_layout(const DecodeLimits& limits) {
    TIFFGetField(tiff_.get(), TIFFTAG_IMAGEWIDTH, &page_.width);
    TIFFGetField(tiff_.get(), TIFFTAG_IMAGELENGTH, &page_.height);
    check_pixel_limit(page_.width, page_.height, name_, limits);
    page_.bits = tag(TIFFTAG_BITSPERSAMPLE);
    page_.samples = tag(TIFFTAG_SAMPLESPERPIXEL);
    page_.photometric = tag(TIFFTAG_PHOTOMETRIC);
    page_.compression = tag(TIFFTAG_COMPRESSION);
    page_.planar = tag(TIFFTAG_PLANARCONFIG);
    refuse_camera_raw();
    choose_colours();
    check_kind();
    check_cost(page_.width, page_.height, limits);
    if (TIFFIsTiled(tiff_.get())) {
      std::uint32_t width = 0;
      std::uint32_t height = 0;
      TIFFGetField(tiff_.get(), TIFFTAG_TILEWIDTH, &width);
      TIFFGetField(tiff_.get(), TIFFTAG_TILELENGTH, &height);
      check_pixel_limit(width, height, name_ + ": a tile", limits);
      // A tile may exceed the image, and is decoded whole.
      const auto padded = [](std::uint64_t side, std::uint64_t tile) {
        return (side + tile - 1) / tile * tile;
      };
      check_cost(padded(page_.width, width), padded(page_.height, height), limits);
      if (TIFFTileSize64(tiff_.get()) > static_cast<std::uint64_t>(limits.max_bytes)) {
        refuse("tiles of " + std::to_string(TIFFTileSize64(tiff_.get())) + " bytes");
      }
    }
  }

  /// Of an image of this size.
  void check_cost(std::uint64_t width, std::uint64_t height, const DecodeLimits& limits) const {
    const std::uint64_t samples = std::uint64_t{page_.samples} * page_.bits;
    check_decoding_cost({.stored = (width * samples + 7) / 8 * height}, name_, limits);
  }

  /// The first page of a DNG is a thumbnail.
  void refuse_camera_raw() const {
    const std::uint8_t* version = nullptr;
    if (TIFFGetField(tiff_.get(), TIFFTAG_DNGVERSION, &version) ||
        page_.photometric == PHOTOMETRIC_CFA) {
      throw FormatError(name_ + ": a camera raw file; " + advice_for("camera raw"));
    }
  }

  void choose_colours() {
    switch (page_.photometric) {
      case PHOTOMETRIC_MINISWHITE:
      case PHOTOMETRIC_MINISBLACK:
      case PHOTOMETRIC_PALETTE:
        page_.colours = 1;
        break;
      case PHOTOMETRIC_RGB:
        page_.colours = 3;
        break;
      case PHOTOMETRIC_YCBCR:
        page_.colours = 3;
        // libjpeg converts, as it does for JPEG files.
        if (page_.compression == COMPRESSION_JPEG && page_.planar == PLANARCONFIG_CONTIG) {
          TIFFSetField(tiff_.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
          page_.photometric = PHOTOMETRIC_RGB;
        }
        break;
      case PHOTOMETRIC_SEPARATED:
        page_.colours = 4;
        break;
      default:
        refuse("colour space " + std::to_string(page_.photometric));
    }
    std::uint16_t count = 0;
    const std::uint16_t* kinds = nullptr;
    TIFFGetFieldDefaulted(tiff_.get(), TIFFTAG_EXTRASAMPLES, &count, &kinds);
    page_.premultiplied = count > 0 && kinds[0] == EXTRASAMPLE_ASSOCALPHA &&
                          page_.samples > page_.colours && page_.colours != 4 &&
                          page_.photometric != PHOTOMETRIC_PALETTE;
  }

  void check_kind() const {
    const int bits = page_.bits;
    const std::uint16_t format = tag(TIFFTAG_SAMPLEFORMAT);
    if (format != SAMPLEFORMAT_UINT && format != SAMPLEFORMAT_VOID) {
      refuse(format == SAMPLEFORMAT_IEEEFP ? "floating-point values (no range is defined for them)"
                                           : "signed values");
    }
    const bool small = bits == 1 || bits == 2 || bits == 4;
    const bool palette = page_.photometric == PHOTOMETRIC_PALETTE;
    if ((!small && bits != 8 && (bits != 16 || palette)) || (small && page_.samples > 1)) {
      refuse(std::to_string(page_.samples) + " channel" + (page_.samples == 1 ? "" : "s") + " of " +
             std::to_string(bits) + " bits");
    }
    constexpr int kMaxSamples = 6;
    if (page_.samples < page_.colours || page_.samples > kMaxSamples) {
      refuse(std::to_string(page_.samples) + " channels");
    }
    if (!TIFFIsCODECConfigured(page_.compression)) {
      refuse("compression " + std::to_string(page_.compression));
    }
  }

  int orientation() const {
    OrientationRecord record;
    std::uint16_t stated = 0;
    if (TIFFGetField(tiff_.get(), TIFFTAG_ORIENTATION, &stated)) {
      return stated >= 1 && stated <= 8 ? stated : 1;
    }
    std::uint32_t size = 0;
    const char* packet = nullptr;
    if (TIFFGetField(tiff_.get(), TIFFTAG_XMLPACKET, &size, &packet) && packet) {
      record.xmp.assign(packet, size);
    }
    return record.orientation();
  }

  /// Stores samples as bytes: high bytes of 16 bits, numbers of a palette, greys scaled to 255.
  /// `data` holds `count` pixels of a row from (x, y) on; of one plane only if `plane` >= 0.
  void keep(const std::uint8_t* data, std::uint32_t x, std::uint32_t y, std::uint32_t count,
            int plane) {
    const auto kept = static_cast<std::size_t>(page_.kept());
    std::uint8_t* out = kept_.data() + (std::size_t{y} * page_.width + x) * kept;
    const std::size_t stride = plane >= 0 ? 1 : page_.samples;
    const std::size_t first = plane >= 0 ? static_cast<std::size_t>(plane) : 0;
    const std::size_t last = plane >= 0 ? first + 1 : kept;
    for (std::uint32_t i = 0; i < count; ++i, out += kept) {
      for (std::size_t c = first; c < last; ++c) out[c] = sample(data, i * stride + c - first);
    }
  }

  std::uint8_t sample(const std::uint8_t* data, std::size_t index) const {
    if (page_.bits == 8) return data[index];
    if (page_.bits == 16) {
      std::uint16_t value = 0;  // libtiff gives the machine's byte order
      std::memcpy(&value, data + 2 * index, 2);
      return static_cast<std::uint8_t>(value >> 8);
    }
    const std::size_t bit = index * page_.bits;
    const unsigned most = (1U << page_.bits) - 1;
    const unsigned value = (data[bit / 8] >> (8 - page_.bits - bit % 8)) & most;
    const bool palette = page_.photometric == PHOTOMETRIC_PALETTE;
    return static_cast<std::uint8_t>(palette ? value : value * 255 / most);
  }

  int planes() const { return page_.planar == PLANARCONFIG_SEPARATE ? page_.kept() : 1; }
  int plane_number(int plane) const { return page_.planar == PLANARCONFIG_SEPARATE ? plane : -1; }

  void read_rows() {
    std::vector<std::uint8_t> row(static_cast<std::size_t>(TIFFScanlineSize64(tiff_.get())));
    const std::size_t needed =
        (std::size_t{page_.width} * page_.bits * (planes() > 1 ? 1 : page_.samples) + 7) / 8;
    if (row.size() < needed) fail();
    for (int plane = 0; plane < planes(); ++plane) {
      for (std::uint32_t y = 0; y < page_.height; ++y) {
        if (TIFFReadScanline(tiff_.get(), row.data(), y, static_cast<std::uint16_t>(plane)) < 0) {
          fail();
        }
        keep(row.data(), 0, y, page_.width, plane_number(plane));
      }
    }
  }

  void read_tiles() {
    std::uint32_t width = 0;
    std::uint32_t height = 0;
    TIFFGetField(tiff_.get(), TIFFTAG_TILEWIDTH, &width);
    TIFFGetField(tiff_.get(), TIFFTAG_TILELENGTH, &height);
    std::vector<std::uint8_t> tile(static_cast<std::size_t>(TIFFTileSize64(tiff_.get())));
    const auto row_bytes = static_cast<std::size_t>(TIFFTileRowSize64(tiff_.get()));
    const std::size_t needed =
        (std::size_t{width} * page_.bits * (planes() > 1 ? 1 : page_.samples) + 7) / 8;
    if (row_bytes < needed || tile.size() < row_bytes * height) fail();
    for (int plane = 0; plane < planes(); ++plane) {
      for (std::uint32_t top = 0; top < page_.height; top += height) {
        for (std::uint32_t left = 0; left < page_.width; left += width) {
          if (TIFFReadTile(tiff_.get(), tile.data(), left, top, 0,
                           static_cast<std::uint16_t>(plane)) < 0) {
            fail();
          }
          for (std::uint32_t y = 0; y < std::min(height, page_.height - top); ++y) {
            keep(tile.data() + row_bytes * y, left, top + y, std::min(width, page_.width - left),
                 plane_number(plane));
          }
        }
      }
    }
  }

  void convert(Image& image) {
    if (page_.photometric == PHOTOMETRIC_RGB && !page_.premultiplied) {
      image.pixels = std::move(kept_);
      return;
    }
    image.pixels.resize(image.row_offset(image.height));
    const std::vector<std::uint8_t> palette = colour_map();
    const std::vector<std::uint8_t> samples = std::move(kept_);  // freed before a second image
    const auto kept = static_cast<std::size_t>(page_.kept());
    const std::uint8_t* in = samples.data();
    std::uint8_t* out = image.pixels.data();
    for (; out < image.pixels.data() + image.pixels.size(); in += kept, out += 3) {
      if (page_.photometric == PHOTOMETRIC_SEPARATED) {
        cmyk_to_rgb(in, in[3], out);
      } else if (page_.photometric == PHOTOMETRIC_PALETTE) {
        std::copy_n(palette.data() + std::size_t{3} * in[0], 3, out);
      } else {
        for (int c = 0; c < 3; ++c) out[c] = colour(in, page_.colours == 3 ? c : 0);
      }
    }
  }

  std::uint8_t colour(const std::uint8_t* pixel, int channel) const {
    int value = pixel[channel];
    if (page_.premultiplied) {
      const int alpha = pixel[page_.colours];
      value = alpha == 0 ? 0 : std::min(255, 255 * value / alpha);
    }
    return static_cast<std::uint8_t>(page_.photometric == PHOTOMETRIC_MINISWHITE ? 255 - value
                                                                                 : value);
  }

  /// 256 colours of three bytes; those beyond the file's map are black.
  std::vector<std::uint8_t> colour_map() const {
    std::vector<std::uint8_t> map(std::size_t{3} * 256);
    if (page_.photometric != PHOTOMETRIC_PALETTE) return map;
    const std::uint16_t* channels[3] = {};
    if (!TIFFGetField(tiff_.get(), TIFFTAG_COLORMAP, &channels[0], &channels[1], &channels[2])) {
      throw FormatError(name_ + ": damaged TIFF: no colour map");
    }
    const std::size_t count = std::size_t{1} << page_.bits;
    for (std::size_t i = 0; i < 3 * count; ++i) {
      map[i] = static_cast<std::uint8_t>(channels[i % 3][i / 3] >> 8);
    }
    return map;
  }

  /// YCbCr, whose colours may be stored for blocks of pixels.
  void read_by_libtiff(Image& image) {
    TIFFRGBAImage reader{};
    char message[1024] = "";
    if (!TIFFRGBAImageOK(tiff_.get(), message) ||
        !TIFFRGBAImageBegin(&reader, tiff_.get(), 1, message)) {
      source_.problem = message;
      fail();
    }
    // The same twice: rows stay as they are stored.
    reader.orientation = reader.req_orientation = ORIENTATION_TOPLEFT;
    std::vector<std::uint32_t> raster(std::size_t{page_.width} * page_.height);
    const bool read = TIFFRGBAImageGet(&reader, raster.data(), page_.width, page_.height) != 0;
    TIFFRGBAImageEnd(&reader);
    if (!read) fail();
    image.pixels.reserve(3 * raster.size());
    for (const std::uint32_t pixel : raster) {
      for (int shift = 0; shift < 24; shift += 8) {
        image.pixels.push_back(static_cast<std::uint8_t>(pixel >> shift));
      }
    }
  }

  Source source_;
  const std::string& name_;
  Tiff tiff_;
  Page page_;
  std::vector<std::uint8_t> kept_;  // [height, width, page_.kept()]
};

}  // namespace

Image decode_tiff(const std::uint8_t* bytes, std::size_t size, const std::string& name,
                  const DecodeLimits& limits) {
  return TiffReader(bytes, size, name, limits).read();
}

}  // namespace hanok::data
