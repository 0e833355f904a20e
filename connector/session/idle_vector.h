#ifndef BELLWIRE_CONNECTOR_SESSION_IDLE_VECTOR_H_
#define BELLWIRE_CONNECTOR_SESSION_IDLE_VECTOR_H_

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace bellwire::connector {

// A std::vector that is one pointer, and no heap memory, while it is empty: a session has several
// lists, and most sessions are idle most of the time. Thread-compatible.
template <typename T>
class IdleVector {
 public:
  bool empty() const { return items_ == nullptr; }
  size_t size() const { return empty() ? 0 : items_->size(); }
  // As of a vector: adding and removing makes them invalid.
  T* begin() { return empty() ? nullptr : items_->data(); }
  T* end() { return begin() + size(); }
  const T* begin() const { return empty() ? nullptr : items_->data(); }
  const T* end() const { return begin() + size(); }
  // REQUIRES: !empty().
  T& back() { return items_->back(); }

  T& emplace_back(T item = T()) { return Items().emplace_back(std::move(item)); }
  void push_back(T item) { Items().push_back(std::move(item)); }
  // Before `position`.
  void insert(const T* position, T item) {
    const auto index = position - begin();
    Items().insert(items_->begin() + index, std::move(item));
  }
  void erase(const T* first, const T* last) {
    if (first == last) return;
    const auto from = items_->begin() + (first - begin());
    items_->erase(from, from + (last - first));
    if (items_->empty()) items_.reset();
  }
  void clear() { items_.reset(); }
  // All of them; none are left.
  std::vector<T> Take() {
    std::vector<T> items;
    if (!empty()) items = std::move(*items_);
    items_.reset();
    return items;
  }

 private:
  std::vector<T>& Items() {
    if (items_ == nullptr) items_ = std::make_unique<std::vector<T>>();
    return *items_;
  }

  // Null: empty.
  std::unique_ptr<std::vector<T>> items_;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_SESSION_IDLE_VECTOR_H_
