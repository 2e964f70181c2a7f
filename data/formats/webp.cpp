// WebP through libwebp. Alpha is dropped, as with Pillow's convert("RGB"); the first frame of an
// animation lies on transparent black.
#include <cstring>
#include <memory>
#include <utility>
#include <webp/decode.h>
#include <webp/demux.h>

#include "hanok/data/formats/codecs.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

[[noreturn]] void throw_error(const std::string& name, const std::string& problem) {
  throw FormatError(name + ": damaged WebP: " + problem);
}

/// The first chunk of this name; empty if there is none.
std::string chunk_of(const WebPDemuxer* demuxer, const char* name) {
  WebPChunkIterator chunk{};
  std::string content;
  if (WebPDemuxGetChunk(demuxer, name, 1, &chunk)) {
    content.assign(reinterpret_cast<const char*>(chunk.chunk.bytes), chunk.chunk.size);
  }
  WebPDemuxReleaseChunkIterator(&chunk);
  return content;
}

int orientation_of(const WebPData& file, const std::string& name) {
  const std::unique_ptr<WebPDemuxer, void (*)(WebPDemuxer*)> demuxer(WebPDemux(&file),
                                                                     WebPDemuxDelete);
  if (!demuxer) throw_error(name, "its chunks cannot be read to the end");
  OrientationRecord record;
  const std::string exif = chunk_of(demuxer.get(), "EXIF");
  record.exif.assign(exif.begin(), exif.end());
  record.xmp = chunk_of(demuxer.get(), "XMP ");
  return record.orientation();
}

/// Writes the canvas after the first frame into `image`; false if it cannot be decoded.
bool read_first_frame(const WebPData& file, Image& image) {
  WebPAnimDecoderOptions options;
  WebPAnimDecoderOptionsInit(&options);
  const std::unique_ptr<WebPAnimDecoder, void (*)(WebPAnimDecoder*)> decoder(
      WebPAnimDecoderNew(&file, &options), WebPAnimDecoderDelete);
  std::uint8_t* rgba = nullptr;
  int milliseconds = 0;
  if (!decoder || !WebPAnimDecoderGetNext(decoder.get(), &rgba, &milliseconds)) return false;
  const std::size_t pixels = image.pixels.size() / 3;
  for (std::size_t i = 0; i < pixels; ++i) std::memcpy(&image.pixels[3 * i], rgba + 4 * i, 3);
  return true;
}

}  // namespace

Image decode_webp(const std::uint8_t* bytes, std::size_t size, const std::string& name,
                  const DecodeLimits& limits) {
  WebPBitstreamFeatures features{};
  const VP8StatusCode status = WebPGetFeatures(bytes, size, &features);
  if (status == VP8_STATUS_NOT_ENOUGH_DATA) {
    throw_error(name, "the file ends too early (an interrupted download or copy?)");
  }
  if (status != VP8_STATUS_OK) throw_error(name, "no valid header");
  DecodeLimits canvas = limits;
  // libwebp composes an animation on two canvases of four bytes a pixel.
  if (features.has_animation) canvas.max_pixels /= 4;
  check_pixel_limit(features.width, features.height, name, canvas);
  const WebPData file{bytes, size};
  const int orientation = orientation_of(file, name);
  Image image{features.width, features.height, {}};
  image.pixels.resize(image.row_offset(image.height));
  const bool read = features.has_animation
                        ? read_first_frame(file, image)
                        : WebPDecodeRGBInto(bytes, size, image.pixels.data(), image.pixels.size(),
                                            3 * features.width) != nullptr;
  if (!read) throw_error(name, "the pixels cannot be decoded, or the file ends too early");
  return apply_orientation(std::move(image), orientation);
}

}  // namespace hanok::data
