#include "sparse_plan.h"

#include <algorithm>
#include <numeric>

namespace raylm {
namespace {

// Kept keys up to the last one that any of the queries sees.
std::vector<Span> spans_of(const SparseShape& shape, const bool* kept, int last_query) {
    std::vector<Span> spans;
    const int end = std::min(last_seen(shape, last_query) + 1, int(shape.keys));
    for (int first = 0; first < end;) {
        const int block = first / shape.block_size;
        const int next = std::min((block + 1) * shape.block_size, end);
        for (; kept[block] && first < next;) {
            const bool joins = !spans.empty() && spans.back().count < kKeyTile &&
                               spans.back().first + spans.back().count == first;
            if (!joins) spans.push_back({first, 0});
            const int count = std::min(kKeyTile - spans.back().count, next - first);
            spans.back().count += count;
            first += count;
        }
        first = next;
    }
    return spans;
}

}  // namespace

int last_seen(const SparseShape& shape, int query) {
    return shape.causal ? query + shape.keys - shape.queries : shape.keys - 1;
}

std::vector<QueryTile> query_tiles(const SparseShape& shape, const bool* blocks) {
    const int block_rows = (shape.queries + shape.block_size - 1) / shape.block_size;
    const int block_columns = (shape.keys + shape.block_size - 1) / shape.block_size;
    std::vector<QueryTile> tiles;
    for (int sequence = 0; sequence < shape.batch; ++sequence) {
        for (int head = 0; head < shape.heads; ++head) {
            const long mask = shape.mask_heads == 1 ? 0 : long(head) * block_rows * block_columns;
            for (int first = 0; first < shape.queries;) {
                const int block = first / shape.block_size;
                const int next = std::min(
                    {(block + 1) * shape.block_size, first + kQueryTile, int(shape.queries)});
                const bool* kept = blocks + mask + long(block) * block_columns;
                const std::vector<Span> spans = spans_of(shape, kept, next - 1);
                const long keys =
                    std::accumulate(spans.begin(), spans.end(), 0l,
                                    [](long sum, const Span& span) { return sum + span.count; });
                tiles.push_back(
                    {sequence, head, first, next - first, spans, (next - first) * keys});
                first = next;
            }
        }
    }
    return tiles;
}

std::vector<int> even_parts(const std::vector<QueryTile>& tiles, int parts) {
    const long total =
        std::accumulate(tiles.begin(), tiles.end(), 0l,
                        [](long sum, const QueryTile& tile) { return sum + tile.cost; });
    std::vector<int> bounds = {0};
    long before = 0;
    for (int i = 0; i < int(tiles.size()); ++i) {
        while (int(bounds.size()) < parts && before >= total * long(bounds.size()) / parts) {
            bounds.push_back(i);
        }
        before += tiles[i].cost;
    }
    bounds.resize(parts + 1, int(tiles.size()));
    return bounds;
}

}  // namespace raylm
