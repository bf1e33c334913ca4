#include "tests/trainer/support.hpp"

#include <stdlib.h>
#include <zlib.h>

#include <exception>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <tightwire/connect.hpp>

#include "kernels/base/philox.hpp"
#include "trainer/trainer.hpp"

namespace tw::trainer {
namespace {

constexpr std::uint32_t kSide = 8, kClasses = 4;

Split small_split(std::uint64_t count, std::uint32_t stream) {
  Split split;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t label = philox4x32({i, 0, stream, 1}, {7, 7})[0] % kClasses;
    split.labels.push_back(static_cast<std::uint8_t>(label));
    for (std::uint32_t pixel = 0; pixel < kSide * kSide; ++pixel) {
      const std::uint32_t noise = philox4x32({i, pixel, stream, 2}, {7, 7})[0] % 128;
      split.images.push_back(static_cast<std::uint8_t>(noise + (pixel % kClasses == label ? 60 : 0)));
    }
  }
  return split;
}

class Partial final : public ForwardingModel {
 public:
  Partial(std::unique_ptr<Model> inner, bool partial) : ForwardingModel(std::move(inner)), partial_(partial) {}
  std::span<float> gradient(std::uint32_t param) override {
    return partial_ && param == 1 ? std::span<float>() : ForwardingModel::gradient(param);
  }
  double accumulate_gradients(const Batch& batch, double scale, const GradientReady& ready) override {
    return ForwardingModel::accumulate_gradients(batch, scale, [&](std::uint32_t param) {
      if (!partial_ || param != 1) ready(param);
    });
  }

 private:
  const bool partial_;
};

struct Outcome {
  Summary summary;
  std::exception_ptr failure;
};

std::vector<Outcome> run_ranks(const TrainOptions& options, const Dataset& dataset, std::uint32_t ranks,
                               const MakeModel& make) {
  auto transports = connect_threads(ranks, {.transport = "loopback"});
  std::vector<Outcome> outcomes(ranks);
  std::vector<std::jthread> threads;
  for (std::uint32_t rank = 0; rank < ranks; ++rank)
    threads.emplace_back([&, rank] {
      try {
        std::ostringstream told;
        auto model = make ? make(rank) : small_model(dataset, options.seed, options.model);
        outcomes[rank].summary = Trainer(options, dataset, std::move(model), std::move(transports[rank]), told).run();
      } catch (...) {
        outcomes[rank].failure = std::current_exception();
      }
    });
  threads.clear();
  return outcomes;
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string pattern = std::filesystem::temp_directory_path() / "tightwire-test-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp " + pattern);
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::vector<std::uint8_t> read_bytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_bytes(const std::string& path, std::span<const std::uint8_t> bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

std::vector<std::uint8_t> idx_bytes(const std::vector<std::uint32_t>& dimensions,
                                    std::span<const std::uint8_t> values) {
  std::vector<std::uint8_t> bytes{0, 0, 8, static_cast<std::uint8_t>(dimensions.size())};
  for (const std::uint32_t d : dimensions)
    for (const int shift : {24, 16, 8, 0}) bytes.push_back(static_cast<std::uint8_t>(d >> shift));
  bytes.insert(bytes.end(), values.begin(), values.end());
  return bytes;
}

void write_gzip(const std::string& path, std::span<const std::uint8_t> bytes) {
  gzFile file = gzopen(path.c_str(), "wb1");
  if (file == nullptr) throw std::runtime_error("gzopen " + path);
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
}

Dataset small_dataset(std::uint64_t train, std::uint64_t test) {
  Dataset dataset;
  dataset.name = "small";
  dataset.features = kSide * kSide;
  dataset.classes = kClasses;
  for (std::uint32_t byte = 0; byte < 256; ++byte)
    dataset.value_of_byte[byte] = (static_cast<float>(byte) - 80.0f) / 40.0f;
  dataset.train = small_split(train, 1);
  dataset.test = small_split(test, 2);
  return dataset;
}

void write_dataset(const std::string& folder, const Dataset& dataset) {
  const auto write = [&](const char* images, const char* labels, const Split& split) {
    const auto count = static_cast<std::uint32_t>(split.count());
    write_gzip(std::filesystem::path(folder) / images, idx_bytes({count, kSide, kSide}, split.images));
    write_gzip(std::filesystem::path(folder) / labels, idx_bytes({count}, split.labels));
  };
  write("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", dataset.train);
  write("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz", dataset.test);
}

TrainOptions quick_options() {
  TrainOptions options;
  options.model = "linear";
  options.transport = "loopback";
  options.batch = 8;
  options.steps = 6;
  options.learning_rate = 0.1;
  options.bucket_bytes = 512;
  options.hash_every = 1;
  options.quiet = true;
  return options;
}

std::vector<Summary> train(const TrainOptions& options, const Dataset& dataset, std::uint32_t ranks,
                           const MakeModel& make) {
  std::vector<Summary> summaries;
  for (Outcome& outcome : run_ranks(options, dataset, ranks, make)) {
    if (outcome.failure) std::rethrow_exception(outcome.failure);
    summaries.push_back(std::move(outcome.summary));
  }
  return summaries;
}

std::vector<std::string> train_failing(const TrainOptions& options, const Dataset& dataset, std::uint32_t ranks,
                                       const MakeModel& make) {
  std::vector<std::string> words;
  for (const Outcome& outcome : run_ranks(options, dataset, ranks, make)) {
    words.emplace_back();
    try {
      if (outcome.failure) std::rethrow_exception(outcome.failure);
    } catch (const std::exception& error) {
      words.back() = error.what();
    }
  }
  return words;
}

std::unique_ptr<Model> small_model(const Dataset& dataset, std::uint64_t seed, const std::string& spec,
                                   const Exec& exec) {
  return make_model(spec, {dataset.features, dataset.classes, seed, exec});
}

std::unique_ptr<Model> partial_model(std::unique_ptr<Model> inner, bool partial) {
  return std::make_unique<Partial>(std::move(inner), partial);
}

}  // namespace tw::trainer
