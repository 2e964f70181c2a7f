// Draws a face from back to front: background, shoulders, back hair, head, features, front hair,
// mask, light, noise.
//
// A face's local coordinates: the origin between nose bridge and centre, x to the right, y down;
// the head is 1 wide and about 1.3 high in each direction. Eyes are at y = -0.15, the tip of the
// nose at 0.32, the mouth at 0.68, the chin at 1.25.
#include "hanok/data/canvas.h"
#include "hanok/data/synthetic.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

enum class Hair { Short, Bob, Long };

/// Constant over all photographs of a person.
struct Look {
  bool female;
  float wrinkles;  // 0 none .. 1 deep
  float grey;      // 0 own hair colour .. 1 white
  Color skin, hair_color, iris, lips;
  Hair hair;
  float receding;    // how far the hairline receded
  float fringe;      // how far hair covers the forehead
  float jaw;         // half width of the lower face
  float face_width;  // of the head, near 1
  float brow_width, brow_height;
  float eye_size, nose_width, mouth_width;
  bool glasses, earrings;
  float beard;  // opacity
};

/// Varies from one photograph to the next.
struct Scene {
  Frame frame;
  float yaw, pitch;  // displacement of features nearer to the camera
  Point light;       // direction; the length is the strength
  float exposure;
  Color cast, background_top, background_bottom, clothes, mask_color;
  int mask_kind;
  float smile, gaze, mask_slip, noise;
  bool blurred;
};

Color pick(RandomDraws& random, std::initializer_list<Color> colors) {
  return colors.begin()[random.below(static_cast<std::uint32_t>(colors.size()))];
}

Color any_color(RandomDraws& random, float low, float high) {
  const float red = random.between(low, high);
  const float green = random.between(low, high);
  return {red, green, random.between(low, high)};
}

/// 0 below `low`, 1 above `high`, linear in between.
float ramp(float value, float low, float high) {
  return std::clamp((value - low) / (high - low), 0.0F, 1.0F);
}

Hair pick_hair(RandomDraws& random, bool female, float age) {
  const float draw = random.unit();
  if (!female) return draw < 0.93F ? Hair::Short : Hair::Bob;
  const float short_share = age >= 58 ? 0.25F : 0.06F;
  const float bob_share = age >= 58 ? 0.55F : 0.30F;
  if (draw < short_share) return Hair::Short;
  return draw < short_share + bob_share ? Hair::Bob : Hair::Long;
}

Look make_look(const FaceAttributes& attributes, RandomDraws random) {
  Look look{};
  look.female = attributes.gender == 1;
  // People may look a little younger or older than they are.
  const float age = static_cast<float>(attributes.age) + random.between(-3, 3);
  look.wrinkles = ramp(age, 27, 64);
  look.grey = ramp(age, 46 + random.between(-4, 6), 63);
  look.skin = mix({0.98F, 0.84F, 0.72F}, {0.72F, 0.50F, 0.36F}, random.unit() * random.unit());
  const Color own_hair = pick(random, {{0.07F, 0.06F, 0.06F},
                                       {0.13F, 0.09F, 0.07F},
                                       {0.24F, 0.14F, 0.08F},
                                       {0.40F, 0.25F, 0.13F},
                                       {0.62F, 0.44F, 0.22F}});
  look.hair_color = mix(own_hair, {0.80F, 0.80F, 0.81F}, look.grey);
  look.iris = pick(random, {{0.22F, 0.13F, 0.07F}, {0.30F, 0.20F, 0.10F}, {0.25F, 0.35F, 0.45F}});
  look.hair = pick_hair(random, look.female, age);
  look.receding = look.female ? 0 : random.unit() * ramp(age, 28, 62) * 0.34F;
  look.fringe = look.female ? random.between(0, 0.26F) : random.between(-0.06F, 0.12F);
  look.jaw = look.female ? random.between(0.66F, 0.80F) : random.between(0.78F, 0.93F);
  look.face_width = random.between(0.94F, 1.06F);
  look.brow_width = look.female ? random.between(0.030F, 0.050F) : random.between(0.055F, 0.085F);
  look.brow_height = look.female ? random.between(0.30F, 0.36F) : random.between(0.24F, 0.30F);
  look.eye_size = look.female ? random.between(0.98F, 1.18F) : random.between(0.86F, 1.04F);
  look.nose_width = look.female ? random.between(0.13F, 0.18F) : random.between(0.16F, 0.23F);
  look.mouth_width = random.between(0.28F, 0.37F);
  look.lips = look.female ? mix({0.80F, 0.36F, 0.36F}, {0.72F, 0.12F, 0.20F}, random.unit())
                          : mix(look.skin, {0.66F, 0.36F, 0.33F}, 0.7F);
  look.glasses = random.chance(0.22F);
  look.earrings = look.female && random.chance(0.45F);
  look.beard = !look.female && random.chance(0.4F) ? random.between(0.25F, 0.75F) : 0.0F;
  return look;
}

Scene make_scene(RandomDraws random, int width, int height) {
  Scene scene{};
  const float w = static_cast<float>(width);
  const float h = static_cast<float>(height);
  scene.frame.scale = std::min(w, h * 0.8F) * random.between(0.245F, 0.315F);
  scene.frame.origin = {w * random.between(0.44F, 0.56F), h * random.between(0.44F, 0.54F)};
  // tan(angle / 2) gives sine and cosine without a table: up to 14 degrees either way.
  const float t = random.between(-0.12F, 0.12F);
  scene.frame.cosine = (1 - t * t) / (1 + t * t);
  scene.frame.sine = 2 * t / (1 + t * t);
  scene.yaw = random.between(-0.22F, 0.22F);
  scene.pitch = random.between(-0.10F, 0.10F);
  scene.light = {random.between(-1, 1), random.between(-0.7F, 0.3F)};
  scene.exposure = random.between(0.72F, 1.15F);
  scene.cast = {random.between(0.92F, 1.08F), 1, random.between(0.88F, 1.08F)};
  scene.background_top = any_color(random, 0.25F, 0.95F);
  scene.background_bottom = mix(scene.background_top, any_color(random, 0.2F, 0.9F), 0.5F);
  scene.clothes = any_color(random, 0.05F, 0.95F);
  scene.mask_color = pick(random, {{0.95F, 0.96F, 0.97F},
                                   {0.93F, 0.94F, 0.95F},
                                   {0.62F, 0.80F, 0.90F},
                                   {0.55F, 0.75F, 0.86F},
                                   {0.10F, 0.10F, 0.11F},
                                   {0.93F, 0.72F, 0.76F},
                                   {0.55F, 0.62F, 0.55F}});
  scene.mask_kind = static_cast<int>(random.below(3));
  scene.smile = random.between(-0.04F, 0.10F);
  scene.gaze = random.between(-0.05F, 0.05F);
  scene.mask_slip = random.unit();
  scene.noise = random.between(0.015F, 0.06F);
  scene.blurred = random.chance(0.25F);
  return scene;
}

class FacePainter {
 public:
  FacePainter(const Look& look, const Scene& scene, int width, int height)
      : look_(look), scene_(scene), frame_(scene.frame), canvas_(width, height) {}

  Image paint(int mask, RandomDraws random) {
    background(random);
    shoulders();
    hair_behind();
    head();
    wrinkles();
    eyes();
    nose();
    mouth();
    beard();
    hair_in_front();
    if (look_.glasses) glasses();
    if (mask == 0) draw_mask(/*top=*/0.04F + 0.08F * scene_.mask_slip, /*bottom=*/1.30F);
    if (mask == 1) draw_mask(/*top=*/0.45F + 0.09F * scene_.mask_slip, /*bottom=*/1.38F);
    light();
    if (scene_.blurred) canvas_.blur();
    canvas_.add_noise(scene_.noise, random);
    return canvas_.to_image();
  }

 private:
  /// Where a point on the front of the face moves as the head turns; `depth` is 1 at the eyes and
  /// larger at the nose.
  Point turned(float x, float y, float depth = 1) const {
    return {x * look_.face_width + scene_.yaw * depth, y + scene_.pitch * depth};
  }
  Color shade() const { return scaled(look_.skin, 0.62F); }

  void background(RandomDraws& random) {
    canvas_.fill(scene_.background_top, scene_.background_bottom);
    const Frame picture{{0, 0}, static_cast<float>(canvas_.height())};
    const int things = 2 + static_cast<int>(random.below(5));
    for (int i = 0; i < things; ++i) {
      const Color color = any_color(random, 0.15F, 0.95F);
      const Point center{random.unit(), random.unit()};
      const Point radii{random.between(0.05F, 0.35F), random.between(0.05F, 0.4F)};
      const float opacity = random.between(0.2F, 0.7F);
      const float softness = random.between(1, 12);
      if (random.chance(0.5F)) {
        canvas_.ellipse(picture, center, radii, color, opacity, softness);
      } else {
        const std::vector<Point> box = {center - radii,
                                        {center.x + radii.x, center.y - radii.y},
                                        center + radii,
                                        {center.x - radii.x, center.y + radii.y}};
        canvas_.polygon(picture, box, color, opacity, softness);
      }
    }
  }

  void shoulders() {
    const float wide = look_.female ? 1.75F : 2.15F;
    canvas_.ellipse(frame_, {0, 3.0F}, {wide, 1.35F}, scene_.clothes);
    const float neck = look_.female ? 0.40F : 0.55F;
    canvas_.polygon(frame_,
                    {{-neck, 0.7F}, {neck, 0.7F}, {neck * 1.15F, 1.85F}, {-neck * 1.15F, 1.85F}},
                    scaled(look_.skin, 0.86F));
    canvas_.ellipse(frame_, {0, 1.78F}, {neck * 1.2F, 0.22F}, scaled(look_.skin, 0.90F));
  }

  void hair_behind() {
    if (look_.hair == Hair::Short) return;
    const float bottom = look_.hair == Hair::Long ? 2.35F : 1.15F;
    const Color dark = scaled(look_.hair_color, 0.80F);
    const Point center{scene_.yaw * -0.2F, (bottom - 1.45F) / 2};
    canvas_.ellipse(frame_, {center.x, -0.15F}, {1.27F, 1.33F}, dark);
    const std::vector<Point> body = {{-1.26F, -0.2F}, {1.26F, -0.2F},   {1.34F, bottom * 0.7F},
                                     {1.05F, bottom}, {-1.05F, bottom}, {-1.34F, bottom * 0.7F}};
    // The shoulders are visible between the two sides.
    const auto distance = [&](Point p) {
      const float gap =
          look_.hair == Hair::Long ? ellipse_distance(p, {0, 2.2F}, {0.62F, 1.1F}) : 1e9F;
      return std::max(polygon_distance(p, body), -gap);
    };
    canvas_.paint(frame_, bounds_of(body, 0), distance, dark, 1, 2);
  }

  float head_distance(Point p) const {
    const float w = look_.face_width;
    const float skull = ellipse_distance(p, {0, -0.28F}, {w, 1.02F});
    const float jaw = ellipse_distance(p, {0, 0.32F}, {look_.jaw * w * 1.02F, 0.96F});
    const float cheeks = ellipse_distance(p, {0, 0.08F}, {w * 0.965F, 0.86F});
    return std::min(std::min(skull, jaw), cheeks);
  }

  void head() {
    for (const float side : {-1.0F, 1.0F}) {  // ears
      const Point ear{side * look_.face_width * 1.0F - scene_.yaw * 0.3F, 0.02F};
      canvas_.ellipse(frame_, ear, {0.14F, 0.25F}, scaled(look_.skin, 0.88F));
      if (look_.earrings) {
        canvas_.ellipse(frame_, ear + Point{0, 0.30F}, {0.07F, 0.09F}, {0.92F, 0.80F, 0.35F});
      }
    }
    const Bounds all{{-1.2F, -1.4F}, {1.2F, 1.4F}};
    canvas_.paint(
        frame_, all, [this](Point p) { return head_distance(p); }, look_.skin);
    // Shaded: darker towards the rim.
    const auto rim = [this](Point p) {
      return std::max(head_distance(p), -0.16F - head_distance(p));
    };
    canvas_.paint(frame_, all, rim, shade(), 0.22F, 0.14F * frame_.scale);
    if (look_.female) {
      for (const float side : {-1.0F, 1.0F}) {
        canvas_.ellipse(frame_, turned(side * 0.52F, 0.38F), {0.20F, 0.13F}, {0.90F, 0.42F, 0.40F},
                        0.30F * (1 - 0.6F * look_.wrinkles), 0.22F * frame_.scale);
      }
    }
  }

  void wrinkle(const std::vector<Point>& points, float strength) {
    if (strength > 0) {
      canvas_.stroke(frame_, points, 0.018F, scaled(look_.skin, 0.45F), strength, 1.3F);
    }
  }

  /// Forehead, corners of the eyes, below the eyes, nose to mouth, and a little sagging.
  void wrinkles() {
    const float deep = look_.wrinkles;
    for (int i = 0; i < 3; ++i) {
      const float y = -0.66F - 0.13F * static_cast<float>(i);
      wrinkle(curve(turned(-0.42F, y), turned(0, y - 0.07F), turned(0.42F, y)),
              0.85F * ramp(deep, 0.15F * static_cast<float>(i), 0.9F));
    }
    for (const float side : {-1.0F, 1.0F}) {
      for (const float rise : {-0.09F, 0.0F, 0.09F}) {
        wrinkle({turned(side * 0.66F, -0.14F + rise * 0.4F), turned(side * 0.84F, -0.14F + rise)},
                0.8F * ramp(deep, 0.25F, 0.9F));
      }
      wrinkle(curve(turned(side * 0.24F, 0.02F), turned(side * 0.42F, 0.13F),
                    turned(side * 0.60F, 0.02F)),
              0.75F * ramp(deep, 0.05F, 0.8F));
      wrinkle(curve(turned(side * 0.22F, 0.32F), turned(side * 0.40F, 0.45F),
                    turned(side * 0.45F, 0.72F)),
              0.85F * ramp(deep, 0.0F, 0.8F));
      wrinkle(curve(turned(side * 0.36F, 0.82F), turned(side * 0.42F, 0.95F),
                    turned(side * 0.36F, 1.06F)),
              0.7F * ramp(deep, 0.5F, 1.0F));
    }
  }

  void eyes() {
    for (const float side : {-1.0F, 1.0F}) {
      const Point eye = turned(side * 0.42F, -0.15F);
      const float size = look_.eye_size;
      canvas_.ellipse(frame_, eye, {0.24F * size, 0.15F * size}, shade(), 0.35F, 2);
      canvas_.ellipse(frame_, eye, {0.20F * size, 0.105F * size}, {0.97F, 0.96F, 0.95F});
      const Point pupil = eye + Point{scene_.gaze, 0};
      canvas_.ellipse(frame_, pupil, {0.095F * size, 0.10F * size}, look_.iris);
      canvas_.ellipse(frame_, pupil, {0.045F, 0.045F}, {0.03F, 0.03F, 0.03F});
      canvas_.ellipse(frame_, pupil + Point{-0.03F, -0.035F}, {0.022F, 0.022F}, {1, 1, 1}, 0.9F);
      const float lash = look_.female ? 0.036F : 0.018F;
      std::vector<Point> lid =
          curve(eye + Point{-0.21F * size, 0.01F}, eye + Point{0, -0.20F * size},
                eye + Point{0.21F * size, 0.01F});
      if (look_.female) {
        lid.insert(side < 0 ? lid.begin() : lid.end(), eye + Point{side * 0.28F * size, -0.07F});
      }
      canvas_.stroke(frame_, lid, lash, {0.08F, 0.06F, 0.06F});
      brow(side, eye);
    }
  }

  void brow(float side, Point eye) {
    const float y = -look_.brow_height;
    const float arch = look_.female ? 0.14F : 0.06F;
    const Color color = mix(scaled(look_.hair_color, 0.75F), {0.08F, 0.06F, 0.05F}, 0.35F);
    canvas_.stroke(frame_,
                   curve(eye + Point{side * -0.20F, y + 0.05F}, eye + Point{side * 0.06F, y - arch},
                         eye + Point{side * 0.27F, y + 0.06F}),
                   look_.brow_width, color, 0.92F, 1.4F);
  }

  void nose() {
    const Point tip = turned(0, 0.32F, 1.45F);
    const float w = look_.nose_width;
    const Point bridge = turned(-0.07F, -0.10F, 1.1F);
    canvas_.stroke(frame_, curve(bridge, tip + Point{-0.12F, -0.18F}, tip + Point{-w, 0.02F}),
                   0.025F, shade(), 0.55F, 2);
    canvas_.ellipse(frame_, tip + Point{0, -0.05F}, {w * 0.7F, 0.12F},
                    mix(look_.skin, {1, 1, 1}, 0.4F), 0.35F, 3);
    canvas_.stroke(frame_,
                   curve(tip + Point{-w, 0.02F}, tip + Point{0, 0.12F}, tip + Point{w, 0.02F}),
                   0.022F, scaled(look_.skin, 0.52F), 0.8F, 1.4F);
    for (const float side : {-1.0F, 1.0F}) {
      canvas_.ellipse(frame_, tip + Point{side * w * 0.5F, 0.045F}, {0.045F, 0.03F},
                      scaled(look_.skin, 0.30F), 0.85F);
    }
  }

  void mouth() {
    const Point center = turned(0, 0.68F, 1.1F);
    const float w = look_.mouth_width;
    const float full = look_.female ? 1.25F : 0.8F;
    const float corner = -scene_.smile;
    std::vector<Point> outline =
        curve(center + Point{-w, corner}, center + Point{-0.08F, -0.13F * full},
              center + Point{0, -0.045F * full}, 5);
    const std::vector<Point> right =
        curve(center + Point{0, -0.045F * full}, center + Point{0.08F, -0.13F * full},
              center + Point{w, corner}, 5);
    const std::vector<Point> lower = curve(
        center + Point{w, corner}, center + Point{0, 0.24F * full}, center + Point{-w, corner}, 8);
    outline.insert(outline.end(), right.begin() + 1, right.end());
    outline.insert(outline.end(), lower.begin() + 1, lower.end() - 1);
    canvas_.polygon(frame_, outline, look_.lips, 0.95F);
    canvas_.stroke(frame_,
                   curve(center + Point{-w, corner}, center + Point{0, 0.06F + scene_.smile},
                         center + Point{w, corner}),
                   0.016F, scaled(look_.lips, 0.45F), 0.9F);
  }

  void beard() {
    if (look_.beard <= 0) return;
    const Color color = scaled(look_.hair_color, 0.9F);
    const Point lips = turned(0, 0.70F, 1.1F);
    const auto distance = [&](Point p) {
      const float upper = 0.50F - 0.55F * p.x * p.x + scene_.pitch;  // hangs between the ears
      return std::max(std::max(head_distance(p) + 0.01F, upper - p.y),
                      -ellipse_distance(p, lips, {look_.mouth_width + 0.03F, 0.13F}));
    };
    canvas_.paint(frame_, {{-1, 0.1F}, {1, 1.4F}}, distance, color, look_.beard, 3);
  }

  void hair_in_front() {
    const bool full = look_.hair != Hair::Short;
    const float start = -0.80F - look_.receding + look_.fringe;
    const Point radii = full ? Point{1.17F, 1.22F} : Point{1.08F, 1.14F};
    const auto cap = [&](Point p) {
      const float x = p.x - scene_.yaw * 0.4F;
      const float x2 = x * x;
      // The hairline: level over the forehead, falling at the temples; lower with long hair.
      const float line =
          start + scene_.pitch + (full ? 0.95F : 0.62F) * x2 * x2 * (0.5F + 0.5F * x2);
      return std::max(ellipse_distance(p, {0, -0.34F}, radii), p.y - line);
    };
    canvas_.paint(frame_, {{-1.3F, -1.7F}, {1.3F, 1.0F}}, cap, look_.hair_color, 1, 1.6F);
    for (int i = -3; i <= 3; ++i) {  // strands
      const float x = 0.26F * static_cast<float>(i);
      canvas_.stroke(
          frame_, curve({x * 0.5F, -1.42F}, {x, -1.25F}, {x * 1.25F, -1.0F + look_.fringe * 0.5F}),
          0.014F, mix(look_.hair_color, {1, 0.95F, 0.85F}, 0.35F), 0.35F, 1.5F);
    }
    if (look_.hair == Hair::Long) {
      for (const float side : {-1.0F, 1.0F}) {
        canvas_.stroke(frame_,
                       curve({side * 0.98F, -0.55F}, {side * 1.22F, 0.4F}, {side * 1.02F, 1.7F}),
                       0.13F, look_.hair_color, 1, 1.6F);
      }
    }
  }

  void glasses() {
    const Color dark{0.12F, 0.10F, 0.10F};
    for (const float side : {-1.0F, 1.0F}) {
      const Point eye = turned(side * 0.42F, -0.13F, 1.1F);
      const auto ring = [&](Point p) {
        const float d = ellipse_distance(p, eye, {0.31F, 0.25F});
        return (d < 0 ? -d : d) - 0.022F;
      };
      canvas_.paint(frame_, {eye - Point{0.4F, 0.35F}, eye + Point{0.4F, 0.35F}}, ring, dark);
      canvas_.stroke(frame_, {eye + Point{side * 0.31F, -0.03F}, {side * 1.0F, -0.08F}}, 0.02F,
                     dark);
    }
    canvas_.stroke(frame_, {turned(-0.12F, -0.15F, 1.2F), turned(0.12F, -0.15F, 1.2F)}, 0.02F,
                   dark);
  }

  /// The mask's upper edge is at `top` in the middle: above the tip of the nose (0.32) if worn
  /// correctly.
  void draw_mask(float top, float bottom) {
    const Color color = scene_.mask_color;
    const Point peak = turned(0, top - 0.06F, 1.4F);
    const float side_y = top + 0.10F;
    const float w = look_.face_width;
    for (const float side : {-1.0F, 1.0F}) {  // ear loops
      const Color loop = mix(color, {0.85F, 0.85F, 0.85F}, 0.5F);
      canvas_.stroke(frame_, {{side * w * 0.88F, side_y + 0.04F}, {side * w * 1.03F, -0.12F}},
                     0.025F, loop);
      canvas_.stroke(frame_, {{side * w * 0.74F, bottom - 0.42F}, {side * w * 1.03F, 0.10F}},
                     0.025F, loop);
    }
    std::vector<Point> outline = curve({-w * 0.92F, side_y}, peak + Point{-0.3F, -0.02F}, peak, 5);
    const std::vector<Point> right =
        curve(peak, peak + Point{0.3F, -0.02F}, {w * 0.92F, side_y}, 5);
    const std::vector<Point> below =
        curve({w * 0.80F, bottom - 0.36F}, {scene_.yaw * 0.5F, bottom + 0.30F},
              {-w * 0.80F, bottom - 0.36F}, 8);
    outline.insert(outline.end(), right.begin() + 1, right.end());
    outline.insert(outline.end(), below.begin(), below.end());
    canvas_.polygon(frame_, outline, color);
    canvas_.stroke(frame_, outline, 0.012F, scaled(color, 0.7F), 0.5F, 1.5F);
    mask_details(top, bottom);
  }

  void mask_details(float top, float bottom) {
    const Color fold = scaled(scene_.mask_color, scene_.mask_color.red < 0.3F ? 1.9F : 0.78F);
    const float x = scene_.yaw;
    if (scene_.mask_kind == 0) {  // surgical: three folds
      for (int i = 1; i <= 3; ++i) {
        const float y = top + (bottom - top) * 0.24F * static_cast<float>(i) + 0.05F;
        canvas_.stroke(frame_, curve({-0.76F + x * 0.4F, y}, {x, y + 0.06F}, {0.76F + x * 0.4F, y}),
                       0.014F, fold, 0.7F, 1.3F);
      }
    } else if (scene_.mask_kind == 1) {  // folded: a seam down the middle
      canvas_.stroke(frame_,
                     curve({x * 1.4F, top - 0.04F}, {x * 1.7F, (top + bottom) / 2}, {x, bottom}),
                     0.018F, fold, 0.8F, 1.4F);
    } else {  // a dark hem
      canvas_.stroke(frame_,
                     curve({-0.85F, top + 0.14F}, {x * 1.4F, top - 0.06F}, {0.85F, top + 0.14F}),
                     0.02F, fold, 0.8F, 1.3F);
    }
    canvas_.ellipse(frame_, {x, (top + bottom) / 2 + 0.1F}, {0.45F, 0.25F},
                    mix(scene_.mask_color, {1, 1, 1}, 0.6F), 0.18F, 0.4F * frame_.scale);
  }

  void light() {
    for (int y = 0; y < canvas_.height(); ++y) {
      for (int x = 0; x < canvas_.width(); ++x) {
        const Point local =
            frame_.to_local({static_cast<float>(x) + 0.5F, static_cast<float>(y) + 0.5F});
        const float side = std::clamp(dot(local, scene_.light) * 0.22F, -0.30F, 0.22F);
        const float gain = scene_.exposure * (1 + side);
        Color& pixel = canvas_.at(x, y);
        pixel = {pixel.red * gain * scene_.cast.red, pixel.green * gain * scene_.cast.green,
                 pixel.blue * gain * scene_.cast.blue};
      }
    }
  }

  const Look& look_;
  const Scene& scene_;
  const Frame frame_;
  Canvas canvas_;
};

}  // namespace

Image draw_face(const FaceAttributes& attributes, std::uint64_t seed, std::int64_t person,
                std::int64_t shot, int width, int height) {
  if (attributes.mask < 0 || attributes.mask > 2 || attributes.gender < 0 ||
      attributes.gender > 1 || attributes.age < 0) {
    throw ValueError("draw_face: mask " + std::to_string(attributes.mask) + ", gender " +
                     std::to_string(attributes.gender) + ", age " + std::to_string(attributes.age) +
                     "; expected 0..2, 0..1, >= 0");
  }
  if (width < 16 || height < 16) {
    throw ValueError("draw_face: " + std::to_string(width) + "x" + std::to_string(height) +
                     " pixels, at least 16x16 are needed");
  }
  // Lane 0 for the person, others for the photograph: looks do not depend on the shot.
  const Look look = make_look(attributes, {seed, RandomStream::Synthetic, person, 0, 0});
  const Scene scene = make_scene({seed, RandomStream::Synthetic, person, shot, 1}, width, height);
  FacePainter painter(look, scene, width, height);
  return painter.paint(attributes.mask, {seed, RandomStream::Synthetic, person, shot, 2});
}

}  // namespace hanok::data
