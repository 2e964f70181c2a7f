#include "hanok/apps/conversion/shard_conversion.h"

#include <fmt/format.h>

#include "hanok/apps/cli/progress.h"
#include "hanok/data/shards.h"

namespace hanok::training {

void convert_to_shards(const ShardConversion& conversion, Reporter& reporter) {
  const data::Dataset dataset = data::load_dataset(conversion.data, conversion.reading);
  const auto total = static_cast<std::int64_t>(dataset.samples.size());
  reporter.print(fmt::format("{}: {} layout, {} images, {} classes\n", dataset.root, dataset.layout,
                             total, dataset.class_names.size()));
  for (const std::string& note : dataset.notes) reporter.print(note + "\n");
  for (const std::string& warning : dataset.warnings) reporter.warn(warning);
  data::WrittenShards written;
  {
    Progress progress(reporter, {.label = "writing shards", .total = total});
    const auto advance = [&progress](std::int64_t) { progress.advance(1); };
    written = data::write_shards(dataset, conversion.out,
                                 {.shards = conversion.shards, .on_sample = advance});
  }
  reporter.print(fmt::format("{}: {} shards, {} images, {:.1f} MiB\n", conversion.out,
                             written.shards, written.samples,
                             static_cast<double>(written.bytes) / (1 << 20)));
}

}  // namespace hanok::training
