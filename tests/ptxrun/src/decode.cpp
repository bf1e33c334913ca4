#include "tests/ptxrun/src/decode.hpp"
#include <algorithm>

namespace ptxrun {
namespace {

int special_slot(std::string_view name) {
  static const std::unordered_map<std::string_view, int> slots = {{"%tid.x", kTidX},
                                                                  {"%tid.y", kTidY},
                                                                  {"%tid.z", kTidZ},
                                                                  {"%ntid.x", kNtidX},
                                                                  {"%ntid.y", kNtidY},
                                                                  {"%ntid.z", kNtidZ},
                                                                  {"%ctaid.x", kCtaidX},
                                                                  {"%ctaid.y", kCtaidY},
                                                                  {"%ctaid.z", kCtaidZ},
                                                                  {"%nctaid.x", kNctaidX},
                                                                  {"%nctaid.y", kNctaidY},
                                                                  {"%nctaid.z", kNctaidZ},
                                                                  {"%laneid", kLaneid},
                                                                  {"%warpid", kWarpid},
                                                                  {"%nwarpid", kNwarpid},
                                                                  {"%lanemask_eq", kMaskEq},
                                                                  {"%lanemask_lt", kMaskLt},
                                                                  {"%lanemask_le", kMaskLe},
                                                                  {"%lanemask_gt", kMaskGt},
                                                                  {"%lanemask_ge", kMaskGe},
                                                                  {"%smid", kSmid},
                                                                  {"%nsmid", kNsmid},
                                                                  {"%dynamic_smem_size", kDynamicShared},
                                                                  {"%total_smem_size", kTotalShared},
                                                                  {"WARP_SZ", kWarpSize}};
  auto it = slots.find(name);
  return it == slots.end() ? -1 : it->second;
}

std::vector<std::string_view> split(std::string_view opcode) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; at <= opcode.size();) {
    std::size_t dot = std::min(opcode.find('.', at), opcode.size());
    parts.push_back(opcode.substr(at, dot - at));
    at = dot + 1;
  }
  return parts;
}

}  // namespace

Decode::Decode(Builder& b, const Statement& st) : b(b), st(st), mods(split(st.opcode)) {
  base = mods.front();
  mods.erase(mods.begin());
}

bool Decode::take(std::string_view mod) {
  auto it = std::find(mods.begin(), mods.end(), mod);
  if (it == mods.end()) return false;
  mods.erase(it);
  return true;
}

bool Decode::take_any(std::initializer_list<std::string_view> set) { return !take_of(set).empty(); }

std::string_view Decode::take_of(std::initializer_list<std::string_view> set) {
  for (std::string_view s : set)
    if (take(s)) return s;
  return {};
}

void Decode::drop_prefixed(std::string_view prefix) {
  std::erase_if(mods, [&](std::string_view m) { return m.substr(0, prefix.size()) == prefix; });
}

Type Decode::take_type() {
  if (mods.empty()) unsupported("no type");
  Type t = parse_type(mods.back());
  if (t == Type::none) unsupported("type ." + std::string(mods.back()));
  mods.pop_back();
  return t;
}

const Operand& Decode::op(std::size_t i) const {
  if (i >= st.ops.size()) unsupported("too few operands");
  return st.ops[i];
}

unsigned Decode::register_bytes(const Operand& o) {
  if (o.kind != Operand::Kind::name) return 0;
  if (special_slot(o.name) >= 0) return 4;
  const Symbol& s = b.lookup(o.name);
  return s.kind == Symbol::Kind::reg ? std::max(2u, size_of(s.type)) : 0;
}

std::uint32_t Decode::source(const Operand& o, Type t) {
  unsigned bytes = std::max(2u, size_of(t));
  if (o.kind == Operand::Kind::number) return b.constant(parse_number(o.name, o.minus, bytes), bytes);
  if (o.kind == Operand::Kind::sink) return b.constant(0, bytes);
  if (o.kind != Operand::Kind::name || o.minus || (o.negated && !negation_handled)) unsupported("operand");
  int slot = special_slot(o.name);
  if (slot >= 0) {
    if (bytes != 4) unsupported("special register as " + std::to_string(bytes) + " bytes");
    return kRefSpecial | std::uint32_t(slot * kLanes * 4);
  }
  if (o.name[0] == '%' && o.name.find('.') != o.name.npos) unsupported("special register");
  const Symbol s = b.lookup(o.name);
  switch (s.kind) {
    case Symbol::Kind::reg:
      if (std::max(2u, size_of(s.type)) != bytes) unsupported("operand " + std::string(o.name) + " of another width");
      if ((s.type == Type::pred) != (t == Type::pred)) unsupported("predicate operand " + std::string(o.name));
      return std::uint32_t(s.value);
    default:
      return b.constant(s.value + std::uint64_t(o.offset), bytes);  // an address in its space
  }
}

std::uint32_t Decode::target(const Operand& o, Type t) {
  if (o.kind == Operand::Kind::sink || o.name == "_") return b.new_register(t);
  if (o.kind != Operand::Kind::name) unsupported("destination");
  const Symbol& s = b.lookup(o.name);
  if (s.kind != Symbol::Kind::reg || std::max(2u, size_of(s.type)) != std::max(2u, size_of(t)))
    unsupported("destination " + std::string(o.name));
  if ((s.type == Type::pred) != (t == Type::pred)) unsupported("predicate destination");
  return std::uint32_t(s.value);
}

void Decode::address(const Operand& o, Space space) {
  if (o.kind != Operand::Kind::memory) unsupported("address");
  in.space = space;
  in.imm = o.offset;
  if (o.name[0] >= '0' && o.name[0] <= '9') {
    in.src[0] = b.constant(parse_number(o.name, false, 8), 8);
    return;
  }
  const Symbol s = b.lookup(o.name);
  if (s.kind == Symbol::Kind::reg) {
    in.src[0] = std::uint32_t(s.value);
    if (size_of(s.type) == 4)
      in.flags |= kShortAddress;
    else if (size_of(s.type) != 8)
      unsupported("address width");
    if (space == Space::param && !b.in_entry) in.space = Space::local;
    return;
  }
  if (s.kind == Symbol::Kind::frame) in.space = Space::local;  // parameters of device functions lie in the frame
  if (s.kind == Symbol::Kind::kernel_param) in.space = Space::param;
  std::uint64_t window = 0;
  if (space == Space::generic && s.kind == Symbol::Kind::shared) window = kSharedWindow;
  if (space == Space::generic && s.kind == Symbol::Kind::kernel_param) window = kParamWindow, in.space = Space::generic;
  in.src[0] = b.constant(s.value + window, 8);
}

void Decode::unsupported(const std::string& why) const {
  std::string s = "unsupported PTX instruction '" + std::string(st.opcode);
  for (std::size_t i = 0; i < st.ops.size(); ++i)
    s += (i ? ", " : " ") + std::string(st.ops[i].name.empty() ? "{..}" : st.ops[i].name);
  throw Unsupported(s + "'" + (why.empty() ? "" : " (" + why + ")"));
}

Decoder find_decoder(std::string_view base) {
  static const DecoderTable& table = *[] {
    auto* t = new DecoderTable;
    add_integer_decoders(*t);
    add_bit_decoders(*t);
    add_float_decoders(*t);
    add_compare_decoders(*t);
    add_convert_decoders(*t);
    add_move_decoders(*t);
    add_memory_decoders(*t);
    add_atomic_decoders(*t);
    add_control_decoders(*t);
    add_warp_decoders(*t);
    add_mbarrier_decoders(*t);
    return t;
  }();
  auto it = table.find(base);
  return it == table.end() ? nullptr : it->second;
}

}  // namespace ptxrun
