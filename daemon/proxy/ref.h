// SPDX-License-Identifier: Apache-2.0
//
// Ref: shared ownership among the objects of one worker. An example is a backend that a reload has
// removed while its connections still carry calls. The count is a plain number, since nothing of a
// worker leaves its thread.
#pragma once

#include <cstddef>
#include <utility>

namespace proxyd {

// The base of objects with shared ownership. They are created by new and destroyed by the last Ref.
class RefCounted {
 public:
  RefCounted(const RefCounted&) = delete;
  RefCounted& operator=(const RefCounted&) = delete;

 protected:
  RefCounted() = default;
  ~RefCounted() = default;

 private:
  template <class T>
  friend class Ref;
  size_t refs_ = 0;
};

template <class T>
class Ref {
 public:
  Ref() = default;
  explicit Ref(T* object) : object_(object) { Take(); }
  Ref(const Ref& other) : object_(other.object_) { Take(); }
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ != nullptr && --object_->refs_ == 0) Destroy(object_);
  }

  T& operator*() const { return *object_; }
  T* operator->() const { return object_; }
  T* get() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }
  friend bool operator==(const Ref&, const Ref&) = default;

 private:
  // Few references are the last one, so that this is not part of the code of each.
  [[gnu::noinline, gnu::cold]] static void Destroy(T* object) { delete object; }
  void Take() {
    if (object_ != nullptr) ++object_->refs_;
  }

  T* object_ = nullptr;
};

template <class T, class... Args>
Ref<T> MakeRef(Args&&... args) {
  return Ref<T>(new T(std::forward<Args>(args)...));
}

}  // namespace proxyd
