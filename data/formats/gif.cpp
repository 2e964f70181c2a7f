// The first frame of a GIF through giflib, as Pillow shows it: on a canvas filled with the
// transparent colour (colour 0 without one), which grows to hold the frame. Transparency is
// dropped.
#include <algorithm>
#include <array>
#include <cstring>
#include <gif_lib.h>
#include <memory>
#include <optional>

#include "hanok/data/formats/codecs.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

struct Source {
  const std::uint8_t* bytes;
  std::size_t left;
};

int read_bytes(GifFileType* gif, GifByteType* target, int count) {
  auto* source = static_cast<Source*>(gif->UserData);
  const std::size_t given = std::min(static_cast<std::size_t>(std::max(count, 0)), source->left);
  std::memcpy(target, source->bytes, given);
  source->bytes += given;
  source->left -= given;
  return static_cast<int>(given);
}

struct Closer {
  void operator()(GifFileType* gif) const {
    int error = 0;
    DGifCloseFile(gif, &error);
  }
};
using Gif = std::unique_ptr<GifFileType, Closer>;

[[noreturn]] void throw_error(const std::string& name, int error) {
  const char* text = GifErrorString(error);
  const bool cut = error == D_GIF_ERR_READ_FAILED || error == D_GIF_ERR_EOF_TOO_SOON;
  throw FormatError(name + ": damaged GIF: " + (text ? text : "no image in it") +
                    (cut ? " (an interrupted download or copy?)" : ""));
}

/// Reads extensions up to the first frame's description; the frame's transparent colour, if any.
std::optional<int> find_frame(GifFileType* gif, const std::string& name) {
  std::optional<int> transparent;
  for (;;) {
    GifRecordType type = UNDEFINED_RECORD_TYPE;
    if (DGifGetRecordType(gif, &type) != GIF_OK) throw_error(name, gif->Error);
    if (type == IMAGE_DESC_RECORD_TYPE) {
      if (DGifGetImageDesc(gif) != GIF_OK) throw_error(name, gif->Error);
      return transparent;
    }
    if (type == TERMINATE_RECORD_TYPE) throw_error(name, D_GIF_ERR_NO_IMAG_DSCR);
    int code = 0;
    GifByteType* block = nullptr;
    if (DGifGetExtension(gif, &code, &block) != GIF_OK) throw_error(name, gif->Error);
    GraphicsControlBlock control{};
    if (code == GRAPHICS_EXT_FUNC_CODE && block &&
        DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK &&
        control.TransparentColor != NO_TRANSPARENT_COLOR) {
      transparent = control.TransparentColor;
    }
    while (block) {
      if (DGifGetExtensionNext(gif, &block) != GIF_OK) throw_error(name, gif->Error);
    }
  }
}

using Palette = std::array<std::array<std::uint8_t, 3>, 256>;

/// Without a palette, or with one that only counts through the greys, a number is a grey. A colour
/// beyond another palette is black.
Palette palette_of(const ColorMapObject* map) {
  Palette palette{};
  bool grey = true;
  for (int i = 0; map && i < std::min(map->ColorCount, 256); ++i) {
    const GifColorType& color = map->Colors[i];
    palette[static_cast<std::size_t>(i)] = {color.Red, color.Green, color.Blue};
    grey = grey && color.Red == i && color.Green == i && color.Blue == i;
  }
  if (grey) {
    for (std::size_t i = 0; i < palette.size(); ++i) {
      palette[i].fill(static_cast<std::uint8_t>(i));
    }
  }
  return palette;
}

/// The order in which a GIF stores the rows of a frame of this height.
std::vector<int> stored_rows(int height, bool interlaced) {
  std::vector<int> rows;
  const std::array<std::array<int, 2>, 4> interlacing = {{{0, 8}, {4, 8}, {2, 4}, {1, 2}}};
  for (const auto& [first, step] : interlacing) {
    for (int y = first; interlaced && y < height; y += step) rows.push_back(y);
  }
  for (int y = 0; !interlaced && y < height; ++y) rows.push_back(y);
  return rows;
}

}  // namespace

Image decode_gif(const std::uint8_t* bytes, std::size_t size, const std::string& name,
                 const DecodeLimits& limits) {
  Source source{bytes, size};
  int error = 0;
  const Gif gif(DGifOpen(&source, read_bytes, &error));
  if (!gif) throw_error(name, error);
  const std::optional<int> transparent = find_frame(gif.get(), name);
  const GifImageDesc& frame = gif->Image;
  const int width = std::max(gif->SWidth, frame.Left + frame.Width);
  const int height = std::max(gif->SHeight, frame.Top + frame.Height);
  check_pixel_limit(width, height, name, limits);
  check_pixel_limit(frame.Width, frame.Height, name, limits);

  const Palette palette = palette_of(frame.ColorMap ? frame.ColorMap : gif->SColorMap);
  const auto put = [&palette](std::uint8_t* out, std::size_t index) {
    std::copy(palette[index].begin(), palette[index].end(), out);
  };
  Image image{width, height, {}};
  image.pixels.resize(image.row_offset(height));
  const auto background = static_cast<std::size_t>(transparent.value_or(0));
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) put(&image.pixels[i], background);
  std::vector<GifPixelType> line(static_cast<std::size_t>(frame.Width));
  for (const int y : stored_rows(frame.Height, frame.Interlace)) {
    if (DGifGetLine(gif.get(), line.data(), frame.Width) != GIF_OK) throw_error(name, gif->Error);
    std::uint8_t* out = image.row(frame.Top + y) + std::ptrdiff_t{3} * frame.Left;
    for (const GifPixelType index : line) {
      put(out, index);
      out += 3;
    }
  }
  return image;
}

}  // namespace hanok::data
