// The C interface to a decoder.
#include "api.h"
#include "decoder.h"

using namespace raylm;

RAYLM_API const char* raylm_instruction_set() { return instruction_set(); }
RAYLM_API const char* raylm_last_error() { return last_error.c_str(); }

RAYLM_API Decoder* raylm_decoder_create(const DecoderShape* shape, std::int32_t threads,
                                        std::int32_t num_blocks, std::int32_t block_size,
                                        std::int32_t kv_bits) {
    return guarded([&] { return new Decoder(*shape, threads, num_blocks, block_size, kv_bits); });
}

RAYLM_API void raylm_decoder_free(Decoder* decoder) { delete decoder; }

RAYLM_API std::size_t raylm_decoder_weight_bytes(const Decoder* decoder) {
    return decoder->weight_bytes();
}

RAYLM_API std::uint64_t raylm_decoder_read(Decoder* decoder, std::int32_t streams) {
    return decoder->read_weights(streams);
}

RAYLM_API bool raylm_decoder_load_rows(Decoder* decoder, std::int32_t kind, std::int32_t layer,
                                       std::int32_t first_row, std::int32_t rows,
                                       const QuantizedRows* from) {
    return completed(
        [&] { decoder->load_rows(static_cast<MatrixKind>(kind), layer, first_row, rows, *from); });
}

RAYLM_API bool raylm_decoder_load_vector(Decoder* decoder, std::int32_t kind, std::int32_t layer,
                                         const float* values, std::int32_t count) {
    return completed(
        [&] { decoder->load_vector(static_cast<VectorKind>(kind), layer, values, count); });
}

RAYLM_API bool raylm_decoder_share(Decoder* decoder, std::int32_t index, std::int32_t member,
                                   Share* share) {
    return completed([&] { *share = decoder->packed_share(index, member); });
}

RAYLM_API bool raylm_decoder_forward(Decoder* decoder, const Batch* batch, const Logits* logits,
                                     Finding* finding) {
    return completed([&] { *finding = decoder->forward(*batch, *logits); });
}
