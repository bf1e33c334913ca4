// Labelled images in memory, as bytes, and the table of data sets that `--dataset` names. Images become floats a batch
// at a time: (byte / 255 - mean) / deviation.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tw::trainer {

/// Images and their labels; image i is `features` bytes from i * features.
struct Split {
  std::vector<std::uint8_t> images;
  std::vector<std::uint8_t> labels;

  std::uint64_t count() const { return labels.size(); }
};

/// Read once, then constant: ranks that are threads share it.
struct Dataset {
  std::string name;
  std::uint64_t features = 0;
  std::uint32_t classes = 0;
  std::array<float, 256> value_of_byte{};
  Split train, test;
};

/// A row of the table.
struct DatasetRow {
  std::string_view name;
  std::string_view summary;
  std::string_view package;    ///< the Debian package that brings the files
  std::string_view directory;  ///< where it puts them
  std::uint32_t classes;
  float mean, deviation;  ///< of the training images, bytes scaled to [0, 1]
};
std::span<const DatasetRow> dataset_table();

/// Reads {train,t10k}-{images-idx3,labels-idx1}-ubyte.gz from `directory` (empty: where the package puts them). Throws
/// UsageError for an unknown name and for a missing file (naming the package), WireError for a file that is not what it
/// should be.
Dataset load_dataset(std::string_view name, std::string_view directory);

/// Images and labels of one step, in the layout models read. Reused from batch to batch.
struct Batch {
  std::vector<float> images;  ///< count x features
  std::vector<std::int64_t> labels;

  std::uint64_t count() const { return labels.size(); }
  /// Gathers the samples with these indices.
  void fill(const Dataset& dataset, const Split& split, std::span<const std::uint32_t> indices);
};

}  // namespace tw::trainer
