// SPDX-License-Identifier: Apache-2.0
#include "models/checkpoint/mapped_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "models/checkpoint/problems.hpp"

namespace prelude::models {

MappedFile::MappedFile(const std::filesystem::path& path) {
    Problems problems(path.string());
    // O_NONBLOCK: opening a named pipe must not wait for a writer. It has no effect on regular files.
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) problems.fail(std::string("cannot be opened: ") + std::strerror(errno));
    struct stat status {};
    void* address = nullptr;
    std::string problem;
    if (::fstat(descriptor, &status) != 0) {
        problem = std::string("cannot be examined: ") + std::strerror(errno);
    } else if (!S_ISREG(status.st_mode)) {
        problem = "is not a regular file";
    } else if (status.st_size > 0) {
        address = ::mmap(nullptr, static_cast<std::size_t>(status.st_size), PROT_READ, MAP_PRIVATE, descriptor, 0);
        if (address == MAP_FAILED) problem = std::string("cannot be mapped: ") + std::strerror(errno);
    }
    ::close(descriptor);
    if (!problem.empty()) problems.fail(problem);
    bytes_ = {static_cast<const std::byte*>(address), static_cast<std::size_t>(status.st_size)};
}

MappedFile::~MappedFile() {
    if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void MappedFile::release() const noexcept {
    if (!bytes_.empty()) ::madvise(const_cast<std::byte*>(bytes_.data()), bytes_.size(), MADV_DONTNEED);
}

}  // namespace prelude::models
