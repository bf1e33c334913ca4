#include "trainer/dataset.hpp"

#include <algorithm>
#include <filesystem>

#include "kernels/base/check.hpp"
#include "trainer/find_row.hpp"
#include "trainer/idx.hpp"

namespace tw::trainer {
namespace {

Split load_split(const DatasetRow& row, const std::filesystem::path& directory, const std::string& prefix) {
  const std::string images_path = directory / (prefix + "-images-idx3-ubyte.gz");
  const std::string labels_path = directory / (prefix + "-labels-idx1-ubyte.gz");
  for (const std::string& path : {images_path, labels_path})
    TW_CHECK(std::filesystem::exists(path), UsageError, "dataset ", row.name, ": no file ", path,
             "; install the Debian package ", row.package, " (apt-get install ", row.package,
             "), or name the files' folder with --data-dir");
  IdxArray images = read_idx(images_path, 3), labels = read_idx(labels_path, 1);
  TW_CHECK(images.dimensions[0] == labels.dimensions[0] && images.dimensions[0] != 0, WireError, images_path, " holds ",
           images.dimensions[0], " images, ", labels_path, " ", labels.dimensions[0],
           " labels; there must be as many, and more than none");
  const std::uint8_t largest = *std::max_element(labels.values.begin(), labels.values.end());
  TW_CHECK(largest < row.classes, WireError, labels_path, " holds label ", int{largest}, "; ", row.name,
           " has classes 0 to ", row.classes - 1);
  return {std::move(images.values), std::move(labels.values)};
}

}  // namespace

std::span<const DatasetRow> dataset_table() {
  static constexpr DatasetRow table[] = {
      {"fashion-mnist", "70 000 pictures of clothes, 28x28, 10 classes (Xiao et al. 2017)", "dataset-fashion-mnist",
       "/usr/share/datasets/fashion-mnist", 10, 0.286f, 0.353f},
  };
  return table;
}

Dataset load_dataset(std::string_view name, std::string_view directory) {
  const DatasetRow& row = find_row(dataset_table(), name, "dataset");
  const std::filesystem::path folder(directory.empty() ? row.directory : directory);
  Dataset dataset;
  dataset.name = row.name;
  dataset.classes = row.classes;
  dataset.train = load_split(row, folder, "train");
  dataset.test = load_split(row, folder, "t10k");
  dataset.features = dataset.train.images.size() / dataset.train.count();
  TW_CHECK(dataset.test.images.size() == dataset.test.count() * dataset.features, WireError, folder.string(),
           ": images for training have ", dataset.features, " pixels, images for testing ",
           dataset.test.images.size() / dataset.test.count());
  for (std::uint32_t byte = 0; byte < 256; ++byte)
    dataset.value_of_byte[byte] = (static_cast<float>(byte) / 255.0f - row.mean) / row.deviation;
  return dataset;
}

void Batch::fill(const Dataset& dataset, const Split& split, std::span<const std::uint32_t> indices) {
  images.resize(indices.size() * dataset.features);
  labels.resize(indices.size());
  float* out = images.data();
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const std::uint8_t* image = split.images.data() + indices[i] * dataset.features;
    for (std::uint64_t pixel = 0; pixel < dataset.features; ++pixel) *out++ = dataset.value_of_byte[image[pixel]];
    labels[i] = split.labels[indices[i]];
  }
}

}  // namespace tw::trainer
