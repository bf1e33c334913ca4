// Launches, and what programs ask about kernels.
#include "tests/ptxrun/src/runtime.hpp"

namespace ptxrun {
namespace {

struct Configuration {
  dim3 grid, block;
  std::size_t shared;
  cudaStream_t stream;
};
thread_local std::vector<Configuration> configurations;

cudaError_t check_device(cudaStream_t stream) {
  const int of_stream = device_of(stream), current = current_device();
  if (of_stream == current) return cudaSuccess;
  return complain(cudaErrorInvalidResourceHandle, "launch on a stream of device " + std::to_string(of_stream) +
                                                      " while device " + std::to_string(current) + " is current");
}

cudaError_t check_shape(const Kernel& k, const Program& p, dim3 grid, dim3 block, std::size_t shared) {
  std::uint64_t threads = std::uint64_t(block.x) * block.y * block.z;
  if (!threads || threads > 1024 || block.x > 1024 || block.y > 1024 || block.z > 64 || !grid.x || !grid.y || !grid.z ||
      grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535)
    return complain(cudaErrorInvalidConfiguration, "launch shape of " + readable(k.name));
  if (threads > p.max_threads)
    return complain(cudaErrorInvalidValue, "more threads than __launch_bounds__ of " + readable(k.name));
  if (p.shared_bytes > 48 * 1024 || shared + p.shared_bytes > std::size_t(std::max(k.dynamic_shared_limit, 48 * 1024)))
    return complain(cudaErrorInvalidValue, "kernel " + readable(k.name) + " wants " + std::to_string(shared) + " + " +
                                               std::to_string(p.shared_bytes) +
                                               " bytes of shared memory, its limit is " +
                                               std::to_string(k.dynamic_shared_limit));
  return cudaSuccess;
}

cudaError_t run(std::shared_ptr<Launch> l) {
  Runtime& r = runtime();
  if (r.sticky != cudaSuccess) return r.sticky;
  l->id = ++r.launches;
  try {
    run_launch(*l);
    return cudaSuccess;
  } catch (const LaunchFailure& e) {
    r.sticky = cudaError_t(e.code);
    return complain(r.sticky, e.what());
  } catch (const std::exception& e) {
    r.sticky = cudaErrorLaunchFailure;
    return complain(r.sticky, std::string(e.what()) + " in kernel " + readable(l->program->name));
  }
}

}  // namespace

cudaError_t launch_kernel(const void* function, dim3 grid, dim3 block, void** args, std::size_t shared,
                          cudaStream_t stream) {
  Kernel* k = find_kernel(function);
  if (!k) return complain(cudaErrorInvalidDeviceFunction, "launch of an unknown kernel");
  Program* p = program_of(*k);
  if (!p) return cudaErrorInvalidDeviceFunction;
  if (cudaError_t e = check_shape(*k, *p, grid, block, shared)) return e;
  if (cudaError_t e = check_device(stream)) return e;
  auto l = std::make_shared<Launch>();
  l->device = current_device();
  l->program = p;
  l->grid = {grid.x, grid.y, grid.z};
  l->block = {block.x, block.y, block.z};
  l->dynamic_shared = std::uint32_t(shared);
  if (!k->counters) k->counters = &runtime().counters[p->name];
  l->counters = k->counters;
  l->params.resize(p->param_bytes);
  for (std::size_t i = 0; i < p->params.size(); ++i)
    std::memcpy(l->params.data() + p->params[i].offset, args[i], p->params[i].size);
  return submit(stream, [l] { return run(l); });
}

}  // namespace ptxrun

using namespace ptxrun;

extern "C" {

unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, std::size_t shared, struct CUstream_st* stream) {
  configurations.push_back({grid, block, shared, stream});
  return 0;
}
cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, std::size_t* shared, void* stream) {
  if (configurations.empty()) return cudaErrorMissingConfiguration;
  Configuration c = configurations.back();
  configurations.pop_back();
  *grid = c.grid;
  *block = c.block;
  *shared = c.shared;
  *static_cast<cudaStream_t*>(stream) = c.stream;
  return cudaSuccess;
}
// A kernel handle is the host function itself.
cudaError_t __cudaGetKernel(cudaKernel_t* kernel, const void* function) {
  *kernel = reinterpret_cast<cudaKernel_t>(const_cast<void*>(function));
  return cudaSuccess;
}
cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** args, std::size_t shared,
                               cudaStream_t stream) {
  Call call;
  return call(launch_kernel(kernel, grid, block, args, shared, stream));
}
cudaError_t cudaLaunchKernel(const void* f, dim3 grid, dim3 block, void** args, std::size_t shared,
                             cudaStream_t stream) {
  Call call;
  return call(launch_kernel(f, grid, block, args, shared, stream));
}
cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t* c, const void* f, void** args) {
  Call call;
  for (unsigned i = 0; i < c->numAttrs; ++i) {
    const cudaLaunchAttribute& a = c->attrs[i];
    if (a.id == cudaLaunchAttributeCooperative && a.val.cooperative)
      return call(complain(cudaErrorNotSupported, "cooperative launch: blocks run one after another"));
    if (a.id == cudaLaunchAttributeClusterDimension && a.val.clusterDim.x * a.val.clusterDim.y * a.val.clusterDim.z > 1)
      return call(complain(cudaErrorNotSupported, "launch with clusters"));
  }
  return call(launch_kernel(f, c->gridDim, c->blockDim, args, c->dynamicSmemBytes, c->stream));
}
cudaError_t cudaLaunchCooperativeKernel(const void*, dim3, dim3, void**, std::size_t, cudaStream_t) {
  Call call;
  return call(complain(cudaErrorNotSupported, "cooperative launch: blocks run one after another"));
}
cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t fn, void* data) {
  if (late() && !is_captured(stream)) {  // without the lock: whom it wakes may be in a call
    call_later(stream, [=] { fn(data); });
    return cudaSuccess;
  }
  Call call;
  return call(submit(stream, [=] {
    fn(data);
    return cudaSuccess;
  }));
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* a, const void* f) {
  Call call;
  Kernel* k = find_kernel(f);
  Program* p = k ? program_of(*k) : nullptr;
  if (!p) return call(cudaErrorInvalidDeviceFunction);
  *a = {};
  a->sharedSizeBytes = p->shared_bytes;
  a->localSizeBytes = p->local_bytes;
  a->maxThreadsPerBlock = int(p->max_threads);
  a->numRegs = 32;  // ptxas decides; not known here
  a->ptxVersion = a->binaryVersion = 90;
  a->maxDynamicSharedSizeBytes = k->dynamic_shared_limit - int(p->shared_bytes);
  return call();
}
cudaError_t cudaFuncSetAttribute(const void* f, cudaFuncAttribute attribute, int value) {
  Call call;
  Kernel* k = find_kernel(f);
  if (!k) return call(cudaErrorInvalidDeviceFunction);
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return call();
  Program* p = program_of(*k);
  if (!p) return call(cudaErrorInvalidDeviceFunction);
  if (value < 0 || value + int(p->shared_bytes) > kMaxShared) return call(cudaErrorInvalidValue);
  k->dynamic_shared_limit = value + int(p->shared_bytes);
  return call();
}
cudaError_t cudaFuncSetCacheConfig(const void*, cudaFuncCache) { return cudaSuccess; }

static int blocks_per_sm(const void* f, int block, std::size_t shared) {
  Kernel* k = find_kernel(f);
  Program* p = k ? program_of(*k) : nullptr;
  if (!p || block <= 0 || block > int(p->max_threads)) return 0;
  std::size_t each = shared + p->shared_bytes + 1024;
  return int(std::min<std::size_t>({std::size_t(2048 / ((block + 31) / 32 * 32)), 32, std::size_t(228 * 1024) / each}));
}
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, const void* f, int block,
                                                                   std::size_t shared, unsigned) {
  Call call;
  if (!find_kernel(f)) return call(cudaErrorInvalidDeviceFunction);
  *blocks = blocks_per_sm(f, block, shared);
  return call();
}
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void* f, int block, std::size_t shared) {
  return cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, f, block, shared, 0);
}
cudaError_t cudaOccupancyAvailableDynamicSMemPerBlock(std::size_t* shared, const void* f, int blocks, int) {
  Call call;
  Kernel* k = find_kernel(f);
  Program* p = k ? program_of(*k) : nullptr;
  if (!p || blocks <= 0) return call(cudaErrorInvalidValue);
  std::size_t each = std::size_t(228 * 1024 / blocks);
  *shared = each > p->shared_bytes + 1024 ? each - p->shared_bytes - 1024 : 0;
  return call();
}

}  // extern "C"
