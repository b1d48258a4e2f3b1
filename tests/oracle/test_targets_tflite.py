"""What the target tflite says of Keras layers, against the converter."""

import pytest

from archlint.targets import target

pytestmark = [pytest.mark.oracle, pytest.mark.slow]


def model_of(layer: str):
    import keras

    rows = {
        "MaxPooling3D": ((8, 8, 8, 2), lambda: keras.layers.MaxPooling3D(2)),
        "Erf": ((8, 4), lambda: keras.ops.erf),
        "GRU": ((8, 4), lambda: keras.layers.GRU(3)),
        "Conv3DTranspose": ((6, 6, 6, 2), lambda: keras.layers.Conv3DTranspose(3, 3)),
    }
    shape, make = rows[layer]
    inputs = keras.Input(shape)
    return keras.Model(inputs, make()(inputs))


def converts(layer: str, *, batch_of_one: bool) -> bool:
    """Whether the converter can write a model of this one layer with built-in operators."""
    import tensorflow as tf

    model = model_of(layer)
    if batch_of_one:
        spec = tf.TensorSpec((1, *model.inputs[0].shape[1:]), tf.float32)
        function = tf.function(lambda x: model(x, training=False)).get_concrete_function(spec)
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function], model)
    else:
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    try:
        converter.convert()
    except Exception as error:  # the converter raises what its parts raise; the reason is in the text
        if "tf." not in str(error):
            raise
        return False
    return True


@pytest.mark.parametrize("layer", ["MaxPooling3D", "Erf"])
def test_a_layer_of_the_table_does_not_convert(layer):
    assert layer in target("tflite").unsupported["keras"]
    assert not converts(layer, batch_of_one=True)


def test_a_recurrent_layer_converts_only_with_a_batch_of_one():
    assert target("tflite").unsupported["keras"]["GRU"].open_batch
    assert not converts("GRU", batch_of_one=False)
    assert converts("GRU", batch_of_one=True)


def test_a_layer_that_the_table_does_not_name_converts():
    assert "Conv3DTranspose" not in target("tflite").unsupported["keras"]
    assert converts("Conv3DTranspose", batch_of_one=False)
