#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

#include "base/check.h"

namespace spillway {

/// A callable that is moved, never copied (std::move_only_function arrives with C++23). Callables up to
/// kInlineBytes live inside, so that the hot path does not allocate for a callback.
template <class Signature>
class UniqueFunction;

template <class R, class... Args>
class UniqueFunction<R(Args...)> {
 public:
  static constexpr std::size_t kInlineBytes = 48;

  UniqueFunction() = default;
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, UniqueFunction> && std::is_invocable_r_v<R, F&, Args...>)
      UniqueFunction(F&& f) {  // NOLINT: implicit by design, as std::function
    using Callable = std::remove_cvref_t<F>;
    if constexpr (sizeof(Callable) <= kInlineBytes && alignof(Callable) <= alignof(std::max_align_t) &&
                  std::is_nothrow_move_constructible_v<Callable>) {
      ::new (storage_) Callable(std::forward<F>(f));
      ops_ = &kInlineOps<Callable>;
    } else {
      ::new (storage_) Callable*(new Callable(std::forward<F>(f)));
      ops_ = &kHeapOps<Callable>;
    }
  }
  UniqueFunction(UniqueFunction&& other) noexcept { take(other); }
  UniqueFunction& operator=(UniqueFunction&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  ~UniqueFunction() { reset(); }

  explicit operator bool() const { return ops_ != nullptr; }
  R operator()(Args... args) {
    CHECK(ops_ != nullptr);
    return ops_->call(storage_, std::forward<Args>(args)...);
  }

 private:
  struct Ops {
    R (*call)(void*, Args&&...);
    void (*move)(void* to, void* from);
    void (*destroy)(void*);
  };
  template <class F>
  static constexpr Ops kInlineOps = {
      [](void* self, Args&&... args) -> R { return (*static_cast<F*>(self))(std::forward<Args>(args)...); },
      [](void* to, void* from) {
        ::new (to) F(std::move(*static_cast<F*>(from)));
        static_cast<F*>(from)->~F();
      },
      [](void* self) { static_cast<F*>(self)->~F(); }};
  template <class F>
  static constexpr Ops kHeapOps = {
      [](void* self, Args&&... args) -> R { return (**static_cast<F**>(self))(std::forward<Args>(args)...); },
      [](void* to, void* from) { ::new (to) F*(*static_cast<F**>(from)); },
      [](void* self) { delete *static_cast<F**>(self); }};

  void take(UniqueFunction& other) {
    ops_ = other.ops_;
    if (ops_ != nullptr) ops_->move(storage_, other.storage_);
    other.ops_ = nullptr;
  }
  void reset() {
    if (ops_ != nullptr) ops_->destroy(storage_);
    ops_ = nullptr;
  }

  const Ops* ops_ = nullptr;
  alignas(std::max_align_t) unsigned char storage_[kInlineBytes];
};

}  // namespace spillway
