// From statements to instructions. Builder knows names; Decode is one statement being turned into an instruction.
#pragma once
#include <unordered_map>
#include <unordered_set>
#include "tests/ptxrun/src/program.hpp"

namespace ptxrun {

struct Symbol {
  enum class Kind : std::uint8_t { reg, frame, kernel_param, shared, address, function } kind = Kind::reg;
  std::uint64_t value = 0;
  Type type = Type::none;
  std::uint64_t size = 0;
};

class Builder {
 public:
  Builder(const Module& m, Program& p) : module(m), program(p) {}
  void build(const std::string& kernel);
  const Symbol& lookup(std::string_view name);
  bool is_function(std::string_view name) const { return module.functions.count(std::string(name)) != 0; }
  std::uint32_t constant(std::uint64_t bits, unsigned bytes);
  std::uint32_t new_register(Type t);
  void branch_to(std::string_view label, std::uint32_t* table_slot);  // null: the instruction being added
  std::uint32_t branch_table(std::string_view name);
  const Function* find_function(std::string_view name) const;
  const FunctionLayout& layout(const std::string& function) { return layouts_[function]; }
  std::uint64_t code_address(std::string_view function);

  const Module& module;
  Program& program;
  bool in_entry = true;                        // decoding the kernel itself
  std::unordered_set<std::uint32_t> products;  // registers a product without a rounding went to

 private:
  struct Scope {
    int parent = -1;
    std::unordered_map<std::string_view, Symbol> symbols;
    std::unordered_map<std::string_view, Variable> ranges;  // %r<100>
    std::unordered_map<std::string_view, std::uint32_t> labels;
  };
  struct Fixup {
    int scope;
    std::string_view label;
    std::uint32_t inst;
    std::uint32_t table, slot;
  };
  void reach(const std::string& name, std::vector<const Function*>& order, std::unordered_map<std::string, int>& state);
  void place_shared(const Function& f);
  void place_frame(const Function& f);
  void decode_body(const Function& f);
  void declare(Cursor& c, Space space, const Function& f);
  void add_statement(Cursor& c);
  void add_table(Cursor& c, std::string_view name);
  void resolve_labels();
  std::uint32_t frame_slot(const Variable& v);
  std::vector<Scope> scopes_;
  int scope_ = 0;
  std::vector<Fixup> fixups_;
  std::unordered_map<std::string, Symbol> shared_;  // by name, or by function and name
  std::unordered_map<std::string, FunctionLayout> layouts_;
  std::unordered_map<std::string_view, std::uint32_t> tables_;
  struct ConstantKey {
    std::uint64_t bits;
    unsigned bytes;
    bool operator==(const ConstantKey&) const = default;
  };
  struct ConstantHash {
    std::size_t operator()(const ConstantKey& k) const { return k.bits * 0x9E3779B97F4A7C15ull + k.bytes; }
  };
  std::unordered_map<ConstantKey, std::uint32_t, ConstantHash> constant_refs_;
  Symbol global_symbol_;
  std::uint32_t predicates_left_ = 0, next_predicate_ = 0, source_ = 0;
};

class Decode {
 public:
  Decode(Builder& b, const Statement& st);
  Builder& b;
  const Statement& st;
  Inst in;
  std::string_view base;               // "add"
  std::vector<std::string_view> mods;  // the rest, consumed by take

  bool negation_handled = false;  // the instruction knows what to do with !p

  bool take(std::string_view mod);
  bool take_any(std::initializer_list<std::string_view> set);             // one of them, dropped
  void drop_prefixed(std::string_view prefix);                            // cache hints such as L2::128B
  std::string_view take_of(std::initializer_list<std::string_view> set);  // the one found, or empty
  Type take_type();                                                       // the last modifier
  const Operand& op(std::size_t i) const;
  std::size_t op_count() const { return st.ops.size(); }
  std::uint32_t source(const Operand& o, Type t);
  std::uint32_t target(const Operand& o, Type t);
  unsigned register_bytes(const Operand& o);  // 0: not a register
  void dst(std::size_t operand, Type t, int slot = 0) { in.dst[slot] = target(op(operand), t); }
  void src(std::size_t operand, Type t, int slot) { in.src[slot] = source(op(operand), t); }
  void address(const Operand& o, Space space);  // of a memory access
  [[noreturn]] void unsupported(const std::string& why = "") const;
};

using Decoder = void (*)(Decode&);
Decoder find_decoder(std::string_view base);
using DecoderTable = std::unordered_map<std::string_view, Decoder>;
void add_integer_decoders(DecoderTable& t);
void add_bit_decoders(DecoderTable& t);
void add_float_decoders(DecoderTable& t);
void add_compare_decoders(DecoderTable& t);
void add_convert_decoders(DecoderTable& t);
void add_move_decoders(DecoderTable& t);
void add_memory_decoders(DecoderTable& t);
void add_atomic_decoders(DecoderTable& t);
void add_control_decoders(DecoderTable& t);
void add_warp_decoders(DecoderTable& t);
void add_mbarrier_decoders(DecoderTable& t);

// Arithmetic whose type decides between integers and floats: tried by the integer decoders when the type is a float.
void decode_float_arithmetic(Decode& d, Type t);

}  // namespace ptxrun
